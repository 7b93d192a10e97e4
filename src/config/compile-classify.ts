/** What is kept out of experiments, as declared to what asks the requests. Pure. */
import {
  type ClassifySettings,
  isAnythingExcluded,
  KNOWN_HEALTH_CHECKS,
  TrafficClassifier,
} from '../experiment/traffic-class.ts';
import type { ClassifyConfig } from './schema-classify.ts';

/** Null: nothing is. */
export function compileClassify({ healthChecks, bots, synthetic }: ClassifyConfig): TrafficClassifier | null {
  const settings: ClassifySettings = {
    syntheticHeader: synthetic?.header ?? null,
    healthCheckAgents: [...(healthChecks.known ? KNOWN_HEALTH_CHECKS : []), ...healthChecks.userAgents],
    healthCheckPaths: healthChecks.paths,
    hasKnownBots: bots.known,
    botPatterns: bots.userAgents,
  };
  return isAnythingExcluded(settings) ? new TrafficClassifier(settings) : null;
}
