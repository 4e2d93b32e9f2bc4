/**
 * The running kernel: what it supports, cgroups, pins, and the `bpf()` system call itself, typed. Importing works
 * anywhere; calling needs Linux.
 */

// What this kernel supports
export {
  btfFeatures,
  hasBatchOperations,
  hasCgroupLinks,
  hasHelper,
  hasInstructions,
  hasMapType,
  hasProgramType,
  instructionSetLevel,
  type InstructionFeature,
} from "../loader/index.ts";
export { possibleCpus } from "../kernel/index.ts";

// What this process may do
export { cgroupRoot, checkHost, openCgroup } from "../loader/index.ts";
export { capabilities, Capability } from "../kernel/index.ts";

// Pins
export { PinDirectory, type PinKind, type PinnedLink } from "../loader/index.ts";
export { isOnFileSystem, mountBpfFileSystem, mounts, openPinned, type Mount } from "../kernel/index.ts";

// The system call
export {
  BpfError,
  Errno,
  errnoName,
  Fd,
  FfiUnavailableError,
  linux,
  parseVerifierLog,
  UnsupportedPlatformError,
  VerifierError,
  type BtfInfo,
  type Kernel,
  type LinkInfo,
  type MapInfo,
  type ObjectKind,
  type ProgramInfo,
  type TestRun,
  type TestRunResult,
  type VerifierLog,
  type VerifierStep,
} from "../kernel/index.ts";

// Sockets and network namespaces
export { inNetworkNamespace, networkNamespaces, SocketDiagnosis, SocketState } from "../kernel/index.ts";

// Measuring
export { enableStatistics } from "../kernel/index.ts";
export { kernelElementCount } from "../loader/index.ts";
