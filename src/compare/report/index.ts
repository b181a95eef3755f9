export { claims } from "./claims.js";
export { htmlReport } from "./html.js";
export { markdownReport } from "./markdown.js";
export { terminalReport } from "./terminal.js";
