export { type GaussianData, gaussianFlow, gaussianLevels, gaussianPosterior } from "./gaussian.js";
export { along, derivative, PATHS, type Path, type PathName } from "./path.js";
export { LEVELS, sigmaAt, sigmaGrid } from "./sigmas.js";
export {
  type Coefficients,
  type Network,
  PARAMETERISATIONS,
  type ParameterisationName,
  partialS,
  partialT,
  solution,
  velocity,
} from "./solution.js";
export { type LogitNormal, logitNormal, type MiddleTime, middleRatio } from "./times.js";
