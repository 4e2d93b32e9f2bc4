/** Runs the cases on the running kernel. */
import { release as runningRelease } from "node:os";
import type { CaseResult } from "../report/result.ts";
import type { Case } from "./case.ts";
import { evaluate, type Attempt } from "./evaluate.ts";
import { isPresent } from "./features.ts";

/**
 * Runs the cases one after another.
 *
 * @param onResult Called as each case ends.
 */
export async function runCases(cases: readonly Case[], onResult: (result: CaseResult) => void): Promise<CaseResult[]> {
  const release = runningRelease();
  const results: CaseResult[] = [];
  for (const testCase of cases) {
    const started = performance.now();
    const attempt = await tryCase(testCase);
    const present = testCase.needs === undefined || (await isPresent(testCase.needs));
    const result: CaseResult = {
      name: testCase.name,
      ...evaluate(testCase, attempt, release, present),
      milliseconds: Math.round(performance.now() - started),
    };
    results.push(result);
    onResult(result);
  }
  return results;
}

async function tryCase(testCase: Case): Promise<Attempt> {
  try {
    return await testCase.run();
  } catch (error) {
    return { kind: "thrown", message: error instanceof Error ? error.message : String(error) };
  }
}
