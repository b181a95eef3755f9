export { isPresent, listIfPresent, readIfPresent, statIfPresent, unlessAbsent } from "./present.js";
export { codeOf, isPassing, reasonOf, Unreadable, unreadable } from "./reasons.js";
export { explainSystemError } from "./systemErrors.js";
