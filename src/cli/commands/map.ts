import { Argument, Command } from "commander";
import { openPinnedMap, pinnedMaps } from "../../lb/index.ts";
import { exampleText } from "../examples.ts";
import { printUseNote, useCells, useColumns } from "../load-balancer-tables.ts";
import { jsonOption, pinOption } from "../options.ts";
import { count, print, printJson, printTable, toJson } from "../output.ts";
import { printable } from "../table.ts";

interface Options {
  readonly pin: string;
  readonly json?: true;
}

interface DumpOptions extends Options {
  readonly all?: true;
}

export function command(): Command {
  const list = new Command("list")
    .description("List the load balancer's maps: their types, keys, values and use.")
    .addOption(pinOption())
    .addOption(jsonOption())
    .addHelpText("after", exampleText(["tsbpf map list", "tsbpf map list --json"]))
    .action(listMaps);
  const dump = new Command("dump")
    .description("Print the elements of a map, which may change during the output.")
    .addArgument(new Argument("<name>", "the map's name, as in the list"))
    .option("--all", "include all-zero elements of an array")
    .addOption(pinOption())
    .addOption(jsonOption())
    .addHelpText("after", exampleText(["tsbpf map dump services", "tsbpf map dump slots --all"]))
    .action(dumpMap);
  return new Command("map").description("Inspect the load balancer's maps.").addCommand(list).addCommand(dump);
}

async function listMaps({ pin, json }: Options): Promise<void> {
  const maps = pinnedMaps(pin);
  if (json) return printJson(maps);
  await printTable(
    [{ header: "MAP" }, { header: "TYPE" }, { header: "KEY" }, { header: "VALUE" }, ...useColumns],
    maps.map((map) => [map.name, map.type, map.key, map.value, ...useCells(map)]),
  );
  await printUseNote(maps);
}

/** Elements per write. */
const CHUNK = 256;

async function dumpMap(name: string, { pin, json, all }: DumpOptions): Promise<void> {
  using map = openPinnedMap(pin, name);
  const progress = Boolean(process.stderr.isTTY) && !process.stdout.isTTY;
  let printed = 0;
  let chunk: string[] = [];
  const flush = async () => {
    await print(chunk.join(""));
    chunk = [];
    if (progress && printed >= CHUNK) process.stderr.write(`\r${count(printed)} elements`);
  };
  if (json) chunk.push("[");
  for (const [key, value] of map.elements({ zeroes: all === true })) {
    chunk.push(json ? `${printed === 0 ? "" : ","}\n  ${toJson({ key, value })}` : `${text(key)}: ${text(value)}\n`);
    printed++;
    if (chunk.length >= CHUNK) await flush();
  }
  if (json) chunk.push("\n]\n");
  await flush();
  if (progress && printed >= CHUNK) process.stderr.write("\n");
}

/** `address=100.0.0.1 port=80` for a struct; JSON for other values. */
function text(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return plain(value);
  return Object.entries(value)
    .map(([field, part]) => `${field}=${plain(part)}`)
    .join(" ");
}

function plain(value: unknown): string {
  return printable(typeof value === "object" ? toJson(value) : String(value as string | number | bigint | boolean));
}
