import { HintedError } from "../hinted-error.ts";

/** Loading, attaching or pinning failed before the kernel was asked, or for a reason other than its refusal. */
export class LoaderError extends HintedError {
  override readonly name = "LoaderError";
}
