export { type Arrival, type Cut, cut } from "./cut.js";
export { fuseAttention } from "./fuseAttention.js";
export { lower } from "./lower.js";
export { quantise } from "./quantise.js";
export { simplify } from "./simplify.js";
