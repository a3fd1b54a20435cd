import type { PlannerConfig } from '../config.js';
import { ArimaModel } from './arima.js';
import { KalmanModel } from './kalman.js';
import { ConstantModel, type Predictor, type SeriesModel, SkippingIdleStart } from './predictor.js';
import { ProphetModel } from './prophet.js';

/** A predictor by its name in a planner configuration. */
export function predictorOf(config: PlannerConfig): Predictor {
  return new SkippingIdleStart(modelOf(config));
}

function modelOf({ predictor, kalman, isLogarithmic, prophetWindow }: PlannerConfig): SeriesModel {
  switch (predictor) {
    case 'kalman':
      return new KalmanModel({ ...kalman, isLogarithmic });
    case 'arima':
      return new ArimaModel(isLogarithmic);
    case 'prophet':
      return new ProphetModel({ window: prophetWindow, isLogarithmic });
    case 'constant':
      return new ConstantModel();
  }
}
