const STACK_LIMIT =
  "a frame and those it calls share 512 bytes of stack: keep large data in a map, such as a per-CPU array";

/** The verifier's common complaints, and how to fix the program. The first match counts. */
const hints: readonly (readonly [RegExp, string])[] = [
  [
    /invalid mem access '\w*_or_null'|map_value_or_null|possibly NULL|invalid mem access 'mem_or_null'/i,
    "the pointer may be null here: compare the lookup's result with null, and use it only where it is not null",
  ],
  [
    /invalid (?:indirect )?read from stack|invalid indirect access to stack|uninitialized stack/i,
    "the program reads stack bytes that were never written: set every field, and the padding, " +
      "before the struct is used",
  ],
  [/R\d+ !read_ok/, "the register was never written on this path, or clobbered by a call (r1 to r5 are)"],
  [
    /invalid bpf_context access/,
    "this hook may not access the context at that offset and size: its context type lists the allowed fields",
  ],
  [
    /BPF_ST stores into R\d+ ctx is not allowed/,
    "this kernel cannot store constants in the context: put the number into a register first, and store that",
  ],
  [
    /dereference of modified ctx ptr/,
    "read the context at constant offsets only: do not add a variable to its pointer",
  ],
  [
    /unknown func|invalid func unknown|cannot use helper|helper call is not allowed|program of this type cannot use/i,
    "the helper is not available to this program type and hook, on this kernel, or under this licence",
  ],
  [
    /cannot call GPL-restricted function|from non-GPL compatible/i,
    'the helper needs a GPL-compatible licence, such as "Dual MIT/GPL"',
  ],
  [
    /should have been in|has unknown scalar value should/,
    "the return value is outside this hook's range (most cgroup hooks: 0 or 1; recvmsg and getpeername: 1 only)",
  ],
  [/R0 !read_ok|return value/i, "the program must set its return value on every path"],
  [
    /infinite loop detected|back-edge|loop .* too complex/i,
    "the verifier cannot prove that the loop ends: give it a constant bound, or use the bpf_loop helper",
  ],
  [
    /BPF program is too large|sequence of \d+ jumps is too complex|too many states/i,
    "the verifier reached its limit of steps: simplify branches, shorten loops, " +
      "or split the program with tail calls or bpf_loop",
  ],
  [/combined stack size|stack depth|stack frames are too deep|call stack/i, STACK_LIMIT],
  [/invalid (?:write to|read from) stack.*off=-(?:5[2-9]\d|[6-9]\d\d)/i, STACK_LIMIT],
  [
    /invalid access to map value|outside of the allowed memory range|outside of the array range/i,
    "the offset is not bounded by the value's size: check or mask the index with a constant right before the access",
  ],
  [/invalid access to packet/, "compare the same pointer with data_end before each read of the packet"],
  [
    /unbounded (?:memory access|min value)|min value is negative|pass 'var & const'/i,
    "the length or index is not bounded: check it against a constant, or mask it, right before the access",
  ],
  [/misaligned/, "the access is not aligned to its size"],
  [/unreachable insn/, "some instructions are never reached: remove them"],
  [/jump out of range|last insn is not an exit/, "the program runs past its end: every path must reach exit"],
  [/Unreleased reference/, "everything acquired (a socket, a ring buffer record) must be released on every path"],
  [/R\d+ type=\w+ expected=/, "the helper expects another kind of pointer or number as this argument"],
  [
    /unknown opcode|BPF_ATOMIC|invalid atomic|uses unsupported|uses reserved fields/i,
    "this kernel does not know the instruction: build for an older instruction set (-mcpu level)",
  ],
  [
    /pointer arithmetic|math between|prohibits/i,
    "the verifier does not allow this arithmetic on this pointer: add bounded numbers only",
  ],
  [/memlock|locked memory/i, "raise the limit on locked memory (ulimit -l unlimited)"],
];

/** How to fix the cause of a verifier's reason; undefined for an unknown reason. */
export function verifierHint(reason: string): string | undefined {
  return hints.find(([form]) => form.test(reason))?.[1];
}
