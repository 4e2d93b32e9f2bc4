/** Compares all imports of the tree with the table in docs/architecture.md. */
import { posix } from "node:path";
import { importsOf } from "./imports.ts";

const { dirname, join, normalize } = posix;
const PAGE = "docs/architecture.md";

/** The TypeScript files of the repository, and the doors of its package. */
export interface Sources {
  /** Text by path from the top of the repository. */
  readonly files: ReadonlyMap<string, string>;
  /** From `exports` of package.json: `tsbpf/asm` → `src/asm/index.ts`. */
  readonly doors: ReadonlyMap<string, string>;
}

/** A row of the table. */
export interface Layer {
  /** The folders or files of the row, as paths. */
  readonly places: readonly string[];
  /** The places that their files may import, beside those of the row itself. */
  readonly imports: "everything" | "doors" | ReadonlySet<string>;
  /** True where every other row may import this one. */
  readonly base: boolean;
}

/** Rows by folder or file. */
export type Layers = ReadonlyMap<string, Layer>;

/**
 * Reads the table of folders out of the text of docs/architecture.md. Its last
 * column is `nothing`, `everything`, `the package's doors` or a list of names in
 * backquotes, where `asm` stands for `src/asm`. After `nothing`, the words
 * `; everything may import it` make the row one that all others may import.
 * @throws {Error} for a missing table, a cell in another form, or a name without a row
 */
export function readLayers(markdown: string): Layers {
  const lines = markdown.split("\n");
  const heading = lines.findIndex((line) => /^\| folder \|.*\| imports \|$/.test(line));
  if (heading < 0) throw new Error(`${PAGE} has no table with the heading "| folder | … | imports |"`);
  const rows = lines.slice(heading + 2, lines.indexOf("", heading)).map((line) => line.split("|").slice(1, -1));
  const known = new Set(rows.flatMap(([names]) => namesIn(names!)));
  const layers = new Map<string, Layer>();
  for (const cells of rows) {
    const places = namesIn(cells[0]!);
    const cell = cells.at(-1)!.trim();
    const base = cell === "nothing; everything may import it";
    const layer = { places, imports: readImports(cell, places.join(), known), base };
    for (const place of places) layers.set(place, layer);
  }
  return layers;
}

function readImports(cell: string, row: string, known: ReadonlySet<string>): Layer["imports"] {
  if (cell === "everything") return "everything";
  if (cell === "the package's doors") return "doors";
  if (/^nothing(; everything may import it)?$/.test(cell)) return new Set();
  if (!/^`[^`]+`(, `[^`]+`)*$/.test(cell)) {
    throw new Error(
      `${PAGE}, row ${row}: "imports" takes nothing, everything, the package's doors, or a list such as \`asm\`, ` +
        `\`types\`, but it is "${cell}"`,
    );
  }
  const places = namesIn(cell).map((name) => (known.has(name) ? name : `src/${name}`));
  const unknown = places.find((place) => !known.has(place));
  if (unknown !== undefined) throw new Error(`${PAGE}, row ${row}: ${unknown} has no row of its own`);
  return new Set(places);
}

const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

const isTest = (path: string): boolean => path.endsWith(".test.ts") || path.includes("/testing/");

/** The innermost place of the table that holds a file. */
function placeOf(layers: Layers, path: string): string | undefined {
  for (let place = path; place !== "."; place = dirname(place)) if (layers.has(place)) return place;
  return undefined;
}

/** The outermost place of the table that holds `to` and not `from`. */
function outermostPlace(layers: Layers, from: string, to: string): string | undefined {
  let outermost: string | undefined;
  for (let place = dirname(to); place !== "."; place = dirname(place)) {
    if (layers.has(place) && !from.startsWith(`${place}/`)) outermost = place;
  }
  return outermost;
}

/** One import of one file of the repository by another. */
interface Edge {
  readonly from: string;
  readonly to: string;
  readonly line: number;
}

function edgesOf({ files, doors }: Sources): Edge[] {
  const edges: Edge[] = [];
  for (const [from, text] of files) {
    for (const { specifier, line } of importsOf(text)) {
      const to = specifier.startsWith(".") ? normalize(join(dirname(from), specifier)) : doors.get(specifier);
      if (to !== undefined && files.has(to)) edges.push({ from, to, line });
    }
  }
  return edges;
}

/**
 * Checks `sources` against the table:
 * - every file lies in a folder of the table, and imports what its row lists. Tests and test support import everything,
 *   and only they and rows with `everything` import test support;
 * - a folder that has an `index.ts` is entered by it from other folders of the table;
 * - neither rows, nor the files and inner folders of a folder, import one another in a cycle.
 * @returns a line for each broken rule: the place, the fault and the repair
 */
export function checkLayers(sources: Sources, layers: Layers): string[] {
  const edges = edgesOf(sources);
  return [...placeFindings(sources, layers), ...edgeFindings(sources, layers, edges), ...cycleFindings(layers, edges)];
}

function placeFindings({ files }: Sources, layers: Layers): string[] {
  return [...files.keys()]
    .filter((path) => placeOf(layers, path) === undefined && !isTest(path))
    .map((path) => `${path} is in no folder of the table in ${PAGE}: add a row`);
}

function edgeFindings({ files, doors }: Sources, layers: Layers, edges: readonly Edge[]): string[] {
  const findings: string[] = [];
  const packageDoors = new Set(doors.values());
  for (const { from, to, line } of edges) {
    const [own, other] = [placeOf(layers, from), placeOf(layers, to)];
    if (other === undefined || own === other) continue;
    const report = (text: string): void => void findings.push(`${from}:${line} imports ${to}: ${text}`);
    const door = `${outermostPlace(layers, from, to)}/index.ts`;
    if (files.has(door) && to !== door && !isTest(to)) {
      report(`import ${door}, and export from it what is missing`);
    }
    if (own === undefined) continue;
    const { imports, places } = layers.get(own)!;
    const target = layers.get(other)!;
    if (isTest(from) || imports === "everything" || places.includes(other) || target.base) continue;
    if (isTest(to)) report("only tests import test support; move what both need out of it");
    else if (imports === "doors") {
      if (!packageDoors.has(to)) report(`${own} imports the package's doors only, such as "tsbpf"`);
    } else if (!imports.has(other)) {
      report(`${own} may not import ${other}. Move what both need below both, or change the table in ${PAGE}`);
    }
  }
  return findings;
}

type Graph = Map<string, Map<string, Edge>>;

function cycleFindings(layers: Layers, edges: readonly Edge[]): string[] {
  const graphs = new Map<string, Graph>();
  const add = (name: string, from: string, to: string, edge: Edge): void => {
    if (from === to) return;
    if (!graphs.has(name)) graphs.set(name, new Map());
    const graph = graphs.get(name)!;
    if (!graph.has(from)) graph.set(from, new Map());
    if (!graph.get(from)!.has(to)) graph.get(from)!.set(to, edge);
  };
  for (const edge of edges) {
    const { from, to } = edge;
    if (from.endsWith(".test.ts")) continue;
    const [own, other] = [placeOf(layers, from), placeOf(layers, to)];
    if (own === undefined || other === undefined) continue;
    if (own !== other) {
      if (!isTest(from) && layers.get(own)!.imports !== "everything") add("rows", own, other, edge);
    } else {
      let folder = dirname(from);
      while (!to.startsWith(`${folder}/`)) folder = dirname(folder);
      const child = (path: string): string => path.split("/", folder.split("/").length + 1).join("/");
      add(folder, child(from), child(to), edge);
    }
  }
  return [...graphs.values()].flatMap((graph) =>
    cyclesIn(graph).map((cycle) => {
      const steps = cycle.map((node, i) => graph.get(node)!.get(cycle[(i + 1) % cycle.length]!)!);
      const imports = steps.map(({ from, line, to }) => `${from}:${line} imports ${to}`).join(", ");
      return (
        `${[...cycle, cycle[0]].join(" → ")} is a cycle: ${imports}. ` +
        "Move what both sides need to a place of its own"
      );
    }),
  );
}

/** Short cycles that together pass through every node that is in a cycle. */
function cyclesIn(graph: Graph): string[][] {
  const cycles: string[][] = [];
  for (const start of graph.keys()) {
    if (cycles.some((cycle) => cycle.includes(start))) continue;
    const cycle = shortestCycle(graph, start);
    if (cycle !== undefined) cycles.push(cycle);
  }
  return cycles;
}

function shortestCycle(graph: Graph, start: string): string[] | undefined {
  const before = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const next of graph.get(node)?.keys() ?? []) {
      if (next === start) {
        const cycle = [node];
        while (cycle[0] !== start) cycle.unshift(before.get(cycle[0]!)!);
        return cycle;
      }
      if (before.has(next)) continue;
      before.set(next, node);
      queue.push(next);
    }
  }
  return undefined;
}
