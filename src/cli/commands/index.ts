import type { Command } from "commander";

/** A subcommand: its line in `--help`, and its module. */
interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<{ command: () => Command }>;
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  load: { summary: "load or replace the load balancer", load: () => import("./load.ts") },
  unload: { summary: "remove the load balancer", load: () => import("./unload.ts") },
  status: { summary: "show programs, services and backends", load: () => import("./status.ts") },
  metrics: { summary: "show the programs' counters", load: () => import("./metrics.ts") },
  monitor: { summary: "print translations as they happen", load: () => import("./monitor.ts") },
  map: { summary: "inspect the load balancer's maps", load: () => import("./map.ts") },
  demo: { summary: "run the quickstart's backends", load: () => import("./demo.ts") },
  build: { summary: "build TypeScript to an object file", load: () => import("./build.ts") },
  check: { summary: "verify programs with this kernel", load: () => import("./check.ts") },
  run: { summary: "run a program in the simulator", load: () => import("./run.ts") },
  asm: { summary: "assemble text to bytes", load: () => import("./asm.ts") },
  disasm: { summary: "show a program as assembly", load: () => import("./disasm.ts") },
};
