export { lower } from "./lower.js";
export { simplify } from "./simplify.js";
