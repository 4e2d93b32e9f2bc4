/** Draws docs/datapath.svg: a panel per program at typical work, and one per whole operation. */
import { cases, countsOf, rowsOf, sidesOf, wholeOperation, wholeOperations, type Case } from "./cases.ts";
import type { Result } from "./result.ts";
import { Side } from "./place.ts";

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [services: number, value: number])[];
}
interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

const colours: Readonly<Record<string, string>> = {
  [Side.OURS]: "#1a6fb4",
  [Side.STREAMS]: "#7db4e0",
  [Side.ALONE]: "#2a9d8f",
  [Side.PEER]: "#c8502d",
  [Side.FLOOR]: "#999999",
  [Side.DIRECT]: "#555555",
  nftables: "#5a9e3d",
  iptables: "#a06ab4",
  IPVS: "#b8962e",
};

const WIDTH = 350;
const HEIGHT = 200;
const COLUMNS = 3;
const margin = { left: 52, right: 14, top: 30, bottom: 34 };

/** Short names for the legend. */
const shortNames: Readonly<Record<string, string>> = { [Side.STREAMS]: "peer: service", [Side.ALONE]: "older entries" };

export function plotOf(result: Result): string {
  const panels = [...programPanels(result), ...operationPanels(result)].filter(({ lines }) => lines.length > 0);
  const names = Object.keys(colours).filter((name) =>
    panels.some(({ lines }) => lines.some((line) => line.name === name)),
  );
  const height = Math.ceil(panels.length / COLUMNS) * HEIGHT + 30;
  const legend = names.map((name, i) => {
    const x = 20 + i * 118;
    return (
      `<line x1="${x}" y1="15" x2="${x + 18}" y2="15" stroke="${colours[name]}" stroke-width="2"/><text ` +
      `x="${x + 23}" y="19">${shortNames[name] ?? name}</text>`
    );
  });
  const drawn = panels.map((panel, i) => {
    const [x, y] = [(i % COLUMNS) * WIDTH, 30 + Math.floor(i / COLUMNS) * HEIGHT];
    return `<g transform="translate(${x} ${y})">\n${panelText(panel)}\n</g>`;
  });
  const view = `viewBox="0 0 ${COLUMNS * WIDTH} ${height}" font-family="sans-serif" font-size="11"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${view}>
<rect width="100%" height="100%" fill="white"/>
${legend.join("\n")}
${drawn.join("\n")}
</svg>
`;
}

function programPanels({ measurements }: Result): Panel[] {
  const wanted = (one: Case): boolean =>
    one.ours === Side.OURS &&
    !(one.target === "foreign" && ["exchange", "getpeername", "connect"].includes(one.operation));
  return cases.filter(wanted).map((one) => {
    const rows = rowsOf(one, measurements).filter(({ processors }) => processors === 1);
    const line = (name: string, value: (row: (typeof rows)[number]) => number): Line => ({
      name,
      points: rows.map((row) => [row.services, value(row)] as const),
    });
    return {
      title: `${one.program}, ${one.what}`,
      unit: "ns per run",
      lines: [
        line(Side.FLOOR, ({ floor }) => floor),
        line(Side.PEER, ({ peer }) => peer),
        line(Side.OURS, ({ ours }) => ours),
      ],
    };
  });
}

function operationPanels({ measurements }: Result): Panel[] {
  return wholeOperations.slice(0, 3).map(({ operation, what }) => ({
    title: what,
    unit: "thousands per second",
    lines: sidesOf(measurements)
      .filter((side) => side !== Side.FLOOR)
      .map((name) => ({
        name,
        points: countsOf(measurements).flatMap((services) => {
          const ns = wholeOperation(measurements, name, operation, services);
          return ns === undefined ? [] : [[services, 1e6 / ns] as const];
        }),
      }))
      .filter(({ points }) => points.length > 0),
  }));
}

/** The axes: services logarithmic, values from 0. */
function panelText({ title, unit, lines }: Panel): string {
  const points = lines.flatMap((line) => line.points);
  const most = niceCeiling(Math.max(...points.map(([, value]) => value)));
  const last = Math.log10(Math.max(10, ...points.map(([services]) => services)));
  const inner = { width: WIDTH - margin.left - margin.right, height: HEIGHT - margin.top - margin.bottom };
  const x = (services: number): string => (margin.left + (Math.log10(services) / last) * inner.width).toFixed(1);
  const y = (value: number): string => (margin.top + (1 - value / most) * inner.height).toFixed(1);
  const grid = [0, 1, 2, 3, 4]
    .map((i) => (i * most) / 4)
    .map(
      (value) =>
        `<line x1="${margin.left}" y1="${y(value)}" x2="${WIDTH - margin.right}" y2="${y(value)}" ` +
        `stroke="#e4e4e4"/><text x="${margin.left - 6}" y="${Number(y(value)) + 4}" text-anchor="end" ` +
        `fill="#555">${+value.toFixed(1)}</text>`,
    );
  const ticks = [...new Set(points.map(([services]) => services))].map(
    (services) =>
      `<text x="${x(services)}" y="${HEIGHT - margin.bottom + 15}" text-anchor="middle" fill="#555">` +
      `${services >= 1000 ? `${services / 1000}k` : services}</text>`,
  );
  const drawn = lines.map(
    ({ name, points: own }) =>
      `<polyline points="${own.map(([services, value]) => `${x(services)},${y(value)}`).join(" ")}" ` +
      `fill="none" stroke="${colours[name]}" stroke-width="2"/>${own
        .map(([services, value]) => `<circle cx="${x(services)}" cy="${y(value)}" r="2.5" fill="${colours[name]}"/>`)
        .join("")}`,
  );
  return [
    `<text x="${margin.left}" y="14" font-weight="bold">${title}</text><text x="${margin.left}" y="26" ` +
      `fill="#555">${unit}, by number of services</text>`,
    ...grid,
    ...ticks,
    ...drawn,
  ].join("\n");
}

function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value)!;
}
