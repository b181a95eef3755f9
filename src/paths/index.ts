export { type GaussianData, gaussianFlow, gaussianLevels, gaussianPosterior } from "./gaussian.js";
export { type Conditions, type Network, type OneTimeNetwork, oneTime } from "./network.js";
export { along, derivative, PATHS, type Path, type PathName } from "./path.js";
export { LEVELS, sigmaAt, sigmaGrid } from "./sigmas.js";
export {
  type Coefficients,
  PARAMETERISATIONS,
  type ParameterisationName,
  partialS,
  partialT,
  solution,
  velocity,
} from "./solution.js";
export { type LogitNormal, logitNormal, type MiddleTime, middleRatio } from "./times.js";
