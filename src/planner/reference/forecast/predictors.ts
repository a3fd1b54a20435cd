import type { PlannerConfig } from '../config.js';
import { KalmanModel } from './kalman.js';
import { ConstantModel, type Predictor, type SeriesModel, SkippingIdleStart } from './predictor.js';

/** A predictor by its name in a planner configuration. */
export function predictorOf(config: PlannerConfig): Predictor {
  return new SkippingIdleStart(modelOf(config));
}

function modelOf({ predictor, kalman, isLogarithmic }: PlannerConfig): SeriesModel {
  switch (predictor) {
    case 'kalman':
      return new KalmanModel({ ...kalman, isLogarithmic });
    default:
      return new ConstantModel();
  }
}
