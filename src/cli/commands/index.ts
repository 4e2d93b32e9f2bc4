import type { Command } from "commander";

/** A subcommand: its line in `--help`, examples for its own help, and its module. */
interface CommandEntry {
  readonly summary: string;
  readonly examples: readonly [string, ...string[]];
  /** The module's function makes the command. It may ask for the whole tree of commands. */
  readonly load: () => Promise<{ command: (root: () => Promise<Command>) => Command }>;
}

export const commands: Readonly<Record<string, CommandEntry>> = {
  load: {
    summary: "load or replace the load balancer",
    examples: [
      "tsbpf load --config services.yaml",
      "tsbpf load --config services.yaml --cgroup /sys/fs/cgroup/my.slice",
    ],
    load: () => import("./load.ts"),
  },
  unload: {
    summary: "remove the load balancer",
    examples: ["tsbpf unload"],
    load: () => import("./unload.ts"),
  },
  status: {
    summary: "show programs, services and backends",
    examples: ["tsbpf status", "tsbpf status --json | jq .services"],
    load: () => import("./status.ts"),
  },
  metrics: {
    summary: "show the programs' counters",
    examples: ["tsbpf metrics", "tsbpf metrics --prometheus"],
    load: () => import("./metrics.ts"),
  },
  monitor: {
    summary: "print translations as they happen",
    examples: ["tsbpf monitor --service web --protocol tcp", "tsbpf monitor --json --count 10"],
    load: () => import("./monitor.ts"),
  },
  map: {
    summary: "inspect the load balancer's maps",
    examples: ["tsbpf map list", "tsbpf map dump services"],
    load: () => import("./map.ts"),
  },
  demo: {
    summary: "run the quickstart's backends",
    examples: ["tsbpf demo", "tsbpf demo --config services.yaml"],
    load: () => import("./demo.ts"),
  },
  build: {
    summary: "build TypeScript to an object file",
    examples: [
      "tsbpf build first.ts --output first.bpf.o",
      "tsbpf build first.ts --emit asm",
      "tsbpf build first.ts --types",
    ],
    load: () => import("./build.ts"),
  },
  check: {
    summary: "verify programs with this kernel",
    examples: ["tsbpf check first.ts --types", "tsbpf check first.bpf.o --log"],
    load: () => import("./check.ts"),
  },
  run: {
    summary: "run a program in the simulator",
    examples: [
      "printf 'r0 = 7\\nexit\\n' | tsbpf asm | tsbpf run",
      "echo b7000000070000009500000000000000 | tsbpf run 00ff",
    ],
    load: () => import("./run.ts"),
  },
  asm: {
    summary: "assemble text to bytes",
    examples: ["tsbpf asm program.s --output program.bin", "tsbpf asm program.s"],
    load: () => import("./asm.ts"),
  },
  disasm: {
    summary: "show a program as assembly",
    examples: ["tsbpf disasm first.bpf.o --source", "tsbpf disasm connect4", "tsbpf disasm --id 42 --slots"],
    load: () => import("./disasm.ts"),
  },
  completion: {
    summary: "print a completion script for a shell",
    examples: [
      "source <(tsbpf completion bash)",
      "tsbpf completion zsh > ~/.zfunc/_tsbpf",
      "tsbpf completion fish > ~/.config/fish/completions/tsbpf.fish",
    ],
    load: () => import("./completion.ts"),
  },
  version: {
    summary: "print the versions of tsbpf, Node and the kernel",
    examples: ["tsbpf version", "tsbpf version --json"],
    load: () => import("./version.ts"),
  },
};
