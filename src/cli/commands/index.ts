import type { Command } from "commander";

/** A subcommand: the line that `--help` shows, and where the rest is. */
interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<{ command: () => Command }>;
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  load: { summary: "load or replace the load balancer", load: () => import("./load.ts") },
  unload: { summary: "take the load balancer away", load: () => import("./unload.ts") },
  status: { summary: "show programs, services and backends", load: () => import("./status.ts") },
  metrics: { summary: "show what the programs have counted", load: () => import("./metrics.ts") },
  monitor: { summary: "print translations as they happen", load: () => import("./monitor.ts") },
  map: { summary: "look into the load balancer's maps", load: () => import("./map.ts") },
  demo: { summary: "run the quickstart's backends", load: () => import("./demo.ts") },
  build: { summary: "build TypeScript to an object file", load: () => import("./build.ts") },
  check: { summary: "have the kernel's verifier look at programs", load: () => import("./check.ts") },
  run: { summary: "run a program in the simulator", load: () => import("./run.ts") },
  asm: { summary: "assemble text to bytes", load: () => import("./asm.ts") },
  disasm: { summary: "show a program as assembly", load: () => import("./disasm.ts") },
};
