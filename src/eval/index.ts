export { type Bootstrap, bootstrap, type Interval } from "./bootstrap.js";
export { diagonalGaussian, frechetDistance, frechetOfFew, type GaussianMoments } from "./frechet.js";
export { inceptionScore } from "./inceptionScore.js";
export { type KidOptions, kernelDistance } from "./kernelDistance.js";
export { type Manifold, type ManifoldOptions, precisionRecall } from "./manifold.js";
export { BlockMoments, Moments, type MomentsNode } from "./moments.js";
export { type Near, nearest } from "./nearest.js";
export { type Features, type Products, plainProducts, TILE } from "./pairs.js";
export { energyDistance, type SlicedOptions, slicedWasserstein } from "./points.js";
