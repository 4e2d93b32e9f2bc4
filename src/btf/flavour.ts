/**
 * A name without its flavour suffix: `task_struct___old` is a flavour of
 * `task_struct`. The last `___` counts that has a character other than `_` on
 * either side (libbpf's `bpf_core_essential_name_len`).
 */
export function essentialName(name: string): string {
  return /^(.*[^_])___[^_]/s.exec(name)?.[1] ?? name;
}
