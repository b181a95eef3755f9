export { type Bootstrap, bootstrap } from "./bootstrap.js";
export { diagonalGaussian, frechetDistance, type GaussianMoments } from "./frechet.js";
export { inceptionScore } from "./inceptionScore.js";
export { type KidOptions, kernelDistance } from "./kernelDistance.js";
export { type Manifold, nearest, precisionRecall, squaredDistances } from "./manifold.js";
export { BlockMoments, Moments, type MomentsNode } from "./moments.js";
export { energyDistance, type SlicedOptions, slicedWasserstein } from "./points.js";
