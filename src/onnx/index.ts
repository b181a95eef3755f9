export { type Arrival, type Cut, cut } from "./cut.js";
export { lower } from "./lower.js";
export { simplify } from "./simplify.js";
