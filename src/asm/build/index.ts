/** The builders: one function for each instruction, giving a plain value. */
export {
  add, addressSpaceCast, and, arsh, be16, be32, be64, bswap16, bswap32, bswap64, div, le16, le32, le64, lsh, mod, mov,
  movsx16, movsx32, movsx8, mul, neg, or, rsh, sdiv, smod, sub, xor, type ArithmeticBuilder, type SignExtensionBuilder,
} from "./arithmetic.ts";
export {
  atomicAdd, atomicAnd, atomicOr, atomicXor, compareExchange, exchange, loadAcquire, storeRelease,
  type AtomicBuilder, type AtomicType,
} from "./atomic.ts";
export { call, callFunction, callKernel, callx } from "./call.ts";
export {
  exit, gotol, gotox, jeq, jge, jgt, jle, jlt, jne, jset, jsge, jsgt, jsle, jslt, jump, label, mayGoto,
  type ConditionalJumpBuilder,
} from "./jump.ts";
export { load, loadAbsolute, loadIndirect, store, type LoadType, type PacketType, type StoreType } from "./memory.ts";
export type { JumpTarget } from "./operand.ts";
export { at } from "./source.ts";
export { lddw, loadFunction, loadKernelVariable, loadMap, loadMapValue, type MapOperand } from "./wide.ts";
