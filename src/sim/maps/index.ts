/** Maps of the simulated kernel, and their user-space handles. */
export { SimulatedMapError } from "./errors.ts";
export { KeyedMap, type KeyedMapValue } from "./keyed-map.ts";
export { ProgramArray } from "./program-array.ts";
export { RingBuffer } from "./ring-buffer.ts";
export { SimulatedMaps, type SimulatedMap } from "./simulated-maps.ts";
export { SocketStorage } from "./socket-storage.ts";
