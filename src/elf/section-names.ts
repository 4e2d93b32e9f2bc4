/** libbpf's section names (its `section_defs` table; Documentation/bpf/libbpf/program_types.rst). */
import { programKinds, type ProgramKind } from "../hooks/index.ts";
import type { AttachType, ProgramType } from "../types/index.ts";

export interface SectionMeaning {
  readonly type: ProgramType;
  readonly expectedAttachType?: AttachType;
}

/** Program types and hooks by their sections' names. */
const bySection: ReadonlyMap<string, ProgramKind> = new Map(
  programKinds.flatMap((kind) => kind.sections.map((section) => [section, kind] as const)),
);

/**
 * The program type and hook that a section name means. A leading `?`, libbpf's
 * sign for "not loaded by itself", makes no difference.
 * @returns undefined for names whose programs cannot be loaded from the name alone
 * (they need a kernel function's BTF id or flags: fentry, lsm, iter, struct_ops, …).
 */
export function sectionMeaning(section: string): SectionMeaning | undefined {
  const name = section.replace(/^\?/, "");
  const kind = bySection.get(name) ?? kindOfHead(name);
  if (kind === undefined) return undefined;
  const { type, expectedAttachType } = kind;
  return expectedAttachType === undefined ? { type } : { type, expectedAttachType };
}

/** The kind whose sections name their target behind a `/`. */
function kindOfHead(name: string): ProgramKind | undefined {
  const kind = bySection.get(name.split("/", 1)[0]!);
  return kind?.sectionNamesTarget ? kind : undefined;
}
