export { stopGradient } from "../ops/index.js";
export { checkpoint } from "./checkpoint.js";
export { joinable, joinCalls } from "./joinCalls.js";
export { jvp, pushforward } from "./jvp.js";
export { grad, gradients, pullback, vjp } from "./vjp.js";
