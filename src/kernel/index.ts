/**
 * The typed bpf() system call. Only this folder makes foreign calls. Importing it works anywhere; calling it
 * needs Linux.
 */
import "../one-copy.ts";
export { BpfError } from "./bpf-error.ts";
export { VerifierError } from "./verifier-error.ts";
export { parseVerifierLog, type VerifierLog, type VerifierStep } from "./verifier-log.ts";
export { Errno, errnoName } from "./errno.ts";
export { Fd } from "./fd.ts";
export { FfiUnavailableError } from "./ffi.ts";
export { UnsupportedPlatformError } from "./syscall-numbers.ts";
export { linux, type Kernel } from "./kernel.ts";

export { createMap, freezeMap, type MapCreate } from "./maps.ts";
export {
  mapElements,
  type BatchCursor,
  type BatchResult,
  type MapElements,
  type MapShape,
} from "./map-elements.ts";
export { openRingBuffer, type RingBuffer } from "./ring-buffer.ts";
export { possibleCpus } from "./cpus.ts";
export {
  bindMap,
  loadProgram,
  testRunProgram,
  type LoadedProgram,
  type ProgramBtfRecords,
  type ProgramLoad,
  type TestRun,
  type TestRunResult,
} from "./programs.ts";
export { createLink, detachLink, updateLink, type LinkCreate } from "./links.ts";
export { openPinned, pinObject } from "./objects.ts";
export { loadBtf } from "./btf.ts";
export {
  btfBytes,
  btfInfo,
  linkInfo,
  mapInfo,
  objectIds,
  openById,
  programCode,
  programInfo,
  programRecords,
  type BtfInfo,
  type LinkInfo,
  type MapInfo,
  type ObjectKind,
  type ProgramCode,
  type ProgramInfo,
  type ProgramRecords,
} from "./info.ts";
export { attachedPrograms, attachProgram, detachProgram, openDirectory, type AttachedPrograms } from "./cgroup.ts";
export { capabilities, Capability, effectiveCapabilities } from "./capabilities.ts";
export { enableStatistics } from "./stats.ts";
export { tryLock } from "./lock.ts";
export { inNetworkNamespace, namespaceCookieOf, networkNamespaces, withSocket } from "./network-namespaces.ts";
export { SocketDiagnosis } from "./sock-diag.ts";
export {
  cookieOf,
  destinationOf,
  SocketState,
  type Destination,
  type DiagnosedSocket,
  type SocketFamily,
  type SocketQuery,
} from "./sock-diag-message.ts";
export { isOnFileSystem, mountBpfFileSystem, mounts, parseMounts, unmount, type Mount } from "./mounts.ts";
export { pageSize, pageSizeIn } from "./page-size.ts";
/** For tests of what the kernel accepts, which make calls that the functions above would not. */
export { bpf } from "./bpf.ts";
export { programAttachAttr } from "./bpf-attr.ts";
export { addressOf, syscall } from "./ffi.ts";
