import { UserError } from "../errors.js";

/** What the operating system's refusals mean, some of one call alone, and what helps. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: "permission is denied; change its permissions, or choose another path",
  EPERM: "the operation is not permitted; change its owner or permissions, or choose another path",
  ENOENT: "there is no such file or folder; check the path",
  ENOTDIR: "part of this path is a file where a folder is needed; check the path",
  EISDIR: "this is a folder where a file is needed; check the path",
  "EEXIST mkdir": "this is a file where a folder is needed; remove it, or choose another path",
  EEXIST: "this is there already, and not as what is needed; remove it, or choose another path",
  ENOTEMPTY: "the folder is not empty; remove what is in it, or choose another path",
  ENOSPC: "the disk is full; free some space, then give the same command again",
  EDQUOT: "the disk quota is used up; free some space, then give the same command again",
  EFBIG: "the file is larger than its file system allows; choose another disk",
  EROFS: "the file system is read-only; choose another path",
  EMFILE: "too many files are open; raise the limit (ulimit -n)",
  ENFILE: "too many files are open on this machine; close other programs",
  ENAMETOOLONG: "the name is too long; choose a shorter path",
  ELOOP: "symbolic links lead around in a circle; remove one of them",
  EIO: "the disk or its connection failed to read or write; check the disk",
  ESTALE: "the network file system has lost this file; mount it again",
  EXDEV: "a file cannot be moved to another file system; choose a path on the same one",
  EBUSY: "another program uses it; close that, or choose another path",
  ETXTBSY: "it is a program that is running; end that, or choose another path",
  ENODEV: "there is no such device; check the path",
  ENXIO: "there is no such device; check the path",
  EINVAL: "the system takes no such value; check the path",
  ENOTSUP: "the file system cannot do this; choose another disk",
  ENOSYS: "the system cannot do this; choose another disk",
  ENOMEM: "there is not enough memory; close other programs, or take a smaller batch",
  EAGAIN: "the system is out of threads or processes for now; close other programs",
  EPIPE: "its reader has gone; give the command again",
  EADDRINUSE: "the port is in use by another program; choose another --port",
  EADDRNOTAVAIL: "this machine has no such address; choose another --host",
  ECONNREFUSED: "nothing answers there; check the address",
  ECONNRESET: "the connection was cut; try again",
  EHOSTUNREACH: "the machine cannot be reached; check the address and the network",
  ENETUNREACH: "the network cannot be reached; check the connection",
  ENOTFOUND: "there is no machine of this name; check the address",
  EAI_AGAIN: "the machine's name cannot be looked up; check the connection",
  ETIMEDOUT: "there was no answer in time; try again",
};

/** Fields of the errors of the operating system, by Node's names. */
type SystemError = Error & {
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly path?: unknown;
  readonly dest?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
  readonly hostname?: unknown;
};

/** What a refusal of the operating system was about: a path, an address, or the call alone. */
const subjectOf = ({ path, dest, address, port, hostname, syscall }: SystemError): string => {
  if (typeof path === "string") return typeof dest === "string" ? `${path} to ${dest}` : path;
  if (address !== undefined || hostname !== undefined)
    return `${String(address ?? hostname)}${port === undefined ? "" : `:${port}`}`;
  return `a file or connection (${String(syscall)})`;
};

/**
 * The refusal of the operating system that was thrown, as an error for the user: the path, what was wrong, what would help.
 * Undefined for every other error.
 */
export const explainSystemError = (thrown: unknown): UserError | undefined => {
  if (!(thrown instanceof Error)) return undefined;
  const { code, syscall } = thrown as SystemError;
  if (typeof code !== "string" || typeof syscall !== "string" || !/^E[A-Z0-9_]+$/.test(code)) return undefined;
  const meaning =
    SYSTEM_ERRORS[`${code} ${syscall}`] ??
    SYSTEM_ERRORS[code] ??
    `the system refused it (${syscall}); check the path and the disk`;
  return new UserError(`${subjectOf(thrown)}: ${meaning} (${code})`);
};
