export * from "../../fields.js";
