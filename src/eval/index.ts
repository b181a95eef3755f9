export { frechetDistance, Moments } from "./frechet.js";
export { energyDistance, type SlicedOptions, slicedWasserstein } from "./points.js";
