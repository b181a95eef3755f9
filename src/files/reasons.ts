import { messageOf, UserError } from "../errors.js";

/** What the system's error codes mean, and what would help. */
const CODES: Readonly<Record<string, readonly [reason: string, remedy: string]>> = {
  EACCES: ["permission is denied", "give this user the right to it"],
  EPERM: ["the system does not permit it", "give this user the right to it"],
  EIO: ["the disk reports an input/output error", "check the disk, or its connection"],
  EMFILE: ["this process has too many files open", "raise the limit (ulimit -n)"],
  ENFILE: ["the system has too many files open", "raise its limit, or end other programs"],
  EISDIR: ["it is a folder where a file is expected", "move it away"],
  ENOTDIR: ["a file is where a folder is expected", "move it away"],
  ELOOP: ["its symbolic links go in a circle", "correct the links"],
  ENAMETOOLONG: ["the path is too long", "use a shorter one"],
  ENOSPC: ["the disk is full", "free some space"],
  EDQUOT: ["this user's share of the disk is used up", "free some space"],
  EROFS: ["the disk is read-only", "use another one"],
  ENOENT: ["it is not there", "put it there"],
  ESTALE: ["the connection to its disk was lost", "connect the disk again"],
};

/** The system's code of what was thrown, such as EACCES. */
export const codeOf = (thrown: unknown): string | undefined => {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : undefined;
};

/** Why a file could not be used, in words. */
export const reasonOf = (thrown: unknown): string => CODES[codeOf(thrown) ?? ""]?.[0] ?? messageOf(thrown);

/** Something is there and cannot be read: it must not be taken for absent, nor for damaged. */
export class Unreadable extends UserError {
  override name = "Unreadable";
}

/** The error for a path that is there and cannot be read; one that says so already is taken as it is. */
export const unreadable = (path: string, thrown: unknown): UserError => {
  if (thrown instanceof UserError) return thrown;
  const remedy = CODES[codeOf(thrown) ?? ""]?.[1] ?? "make it readable";
  return new Unreadable(`${path} cannot be read: ${reasonOf(thrown)}; ${remedy}, then try again`);
};

/** Whether the system was short of something: the same call may succeed later. */
export const isPassing = (thrown: unknown): boolean =>
  ["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EBUSY", "EIO", "ESTALE"].includes(codeOf(thrown) ?? "");
