/** Results for people: one column per kernel, one row per case. */
import pc from "picocolors";
import { count, isClean, type CaseResult, type KernelResult, type Status } from "./result.ts";

const words: Readonly<Record<Status, string>> = {
  pass: "pass",
  refused: "refused",
  unsupported: "unsupp.",
  surprise: "SURPRISE",
};
const colours: Readonly<Record<Status, (text: string) => string>> = {
  pass: pc.green,
  refused: pc.green,
  unsupported: pc.yellow,
  surprise: pc.red,
};

/**
 * The matrix of kernels and cases, followed by surprises, reasons for unsupported cases, and the console output
 * of failed kernels.
 */
export function formatMatrix(kernels: readonly KernelResult[]): string {
  const names = [...new Set(kernels.flatMap(({ results }) => results.map(({ name }) => name)))];
  const byKernel = kernels.map(({ results }) => new Map(results.map((result) => [result.name, result])));
  const heads = kernels.map(({ release }) => shortRelease(release));
  const nameWidth = Math.max(4, ...names.map((name) => name.length));
  const widths = heads.map((head) => Math.max(head.length, 8));
  const cells = byKernel.map((results) => (name: string) => results.get(name)?.status);

  const lines = [[" ".repeat(nameWidth), ...heads.map((head, i) => head.padEnd(widths[i]!))].join("  ").trimEnd()];
  for (const name of names) {
    const row = cells.map((cell, i) => {
      const status = cell(name);
      return status === undefined ? "-".padEnd(widths[i]!) : colours[status](words[status].padEnd(widths[i]!));
    });
    lines.push([name.padEnd(nameWidth), ...row].join("  ").trimEnd());
  }
  const sections = [
    lines.join("\n"),
    ...unsupported(kernels),
    ...surprises(kernels),
    ...failures(kernels),
    summary(kernels),
  ];
  return sections.join("\n\n");
}

/** One line per kernel: counts by status, and the duration. */
export function summary(kernels: readonly KernelResult[]): string {
  return kernels
    .map((kernel) => {
      const counts = count(kernel.results);
      const text =
        `${kernel.release}: ${counts.pass} pass, ${counts.refused} refused as expected, ` +
        `${counts.unsupported} unsupported, ${counts.surprise} surprises, ${kernel.seconds.toFixed(0)} s`;
      return isClean(kernel) ? `${pc.green("ok")}    ${text}` : `${pc.red("FAILED")} ${text}`;
    })
    .join("\n");
}

/** `"6.12.117"` of `"6.12.117+deb13-amd64"`. */
export function shortRelease(release: string): string {
  return /^\d+(\.\d+)*/.exec(release)?.[0] ?? release;
}

function details(kernels: readonly KernelResult[], status: Status): { result: CaseResult; release: string }[] {
  return kernels.flatMap(({ results, release }) =>
    results.filter((result) => result.status === status).map((result) => ({ result, release })),
  );
}

function unsupported(kernels: readonly KernelResult[]): string[] {
  const reasons = new Set(
    details(kernels, "unsupported").map(({ result, release }) => `  ${shortRelease(release)}: ${result.detail ?? ""}`),
  );
  return reasons.size === 0 ? [] : [`Unsupported, because:\n${[...reasons].join("\n")}`];
}

function surprises(kernels: readonly KernelResult[]): string[] {
  const lines = details(kernels, "surprise").map(
    ({ result, release }) => `  ${shortRelease(release)}  ${result.name}\n    ${result.detail ?? ""}`,
  );
  return lines.length === 0 ? [] : [pc.red(`Surprises:\n${lines.join("\n")}`)];
}

function failures(kernels: readonly KernelResult[]): string[] {
  return kernels
    .filter(({ failure }) => failure !== undefined)
    .map(({ release, failure, console = [] }) => {
      const output = console.map((line) => `  ${line}`).join("\n");
      return `${pc.red(`${release}: ${failure}`)}${console.length === 0 ? "" : `\nend of its console:\n${output}`}`;
    });
}
