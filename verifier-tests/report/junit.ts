import type { CaseResult, KernelResult } from "./result.ts";

/**
 * The results as JUnit XML, for CI systems: a test suite per kernel and a test case per case. "Unsupported"
 * becomes `skipped` with its reason; a kernel that did not complete becomes an `error`.
 */
export function formatJunit(kernels: readonly KernelResult[]): string {
  const suites = kernels.map((kernel) => {
    const cases = kernel.results.map(testCase);
    if (kernel.failure !== undefined) {
      const message = escape(kernel.failure);
      const output = escape((kernel.console ?? []).join("\n"));
      cases.push(
        `    <testcase classname="kernel" name="boots and ends"><error ` +
          `message="${message}">${output}</error></testcase>`,
      );
    }
    const failures = kernel.results.filter(({ status }) => status === "surprise").length;
    const skipped = kernel.results.filter(({ status }) => status === "unsupported").length;
    const errors = kernel.failure === undefined ? 0 : 1;
    return [
      `  <testsuite name="${escape(kernel.release)}" tests="${cases.length}" failures="${failures}" ` +
        `errors="${errors}" ` +
        `skipped="${skipped}" time="${kernel.seconds.toFixed(3)}">`,
      ...cases,
      "  </testsuite>",
    ].join("\n");
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join("\n")}\n</testsuites>\n`;
}

function testCase({ name, status, detail = "", milliseconds }: CaseResult): string {
  const slash = name.indexOf("/");
  const [group, what] = [name.slice(0, Math.max(slash, 0)), name.slice(slash + 1)].map(escape);
  const head = `    <testcase classname="${group}" name="${what}" time="${(milliseconds / 1000).toFixed(3)}"`;
  if (status === "surprise") return `${head}><failure message="${escape(detail)}"/></testcase>`;
  if (status === "unsupported") return `${head}><skipped message="${escape(detail)}"/></testcase>`;
  return `${head}/>`;
}

function escape(text: string): string {
  const names: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\n": "&#10;",
  };
  // XML 1.0 forbids most control characters, even escaped.
  return text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "")
    .replace(/[&<>"\n]/g, (character) => names[character]!);
}
