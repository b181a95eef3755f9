export { diagonalGaussian, frechetDistance, type GaussianMoments, Moments } from "./frechet.js";
export { energyDistance, type SlicedOptions, slicedWasserstein } from "./points.js";
