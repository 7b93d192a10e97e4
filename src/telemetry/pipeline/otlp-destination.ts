/** Exposures as OTLP log records, each an event `feature_flag.evaluation` with the id that the CloudEvent has. */
import { attributesOf, EVALUATION, evaluationAttributes, logsOf, type Resource, unixNano } from '../otlp.ts';
import type { Destination, Verdict } from './destination.ts';
import { HttpPost, type HttpPostOptions } from './http-post.ts';

/** `INFO`, by the OpenTelemetry log data model. */
const SEVERITY = 9;

/** What we put into the spool ourselves. */
interface ExposureEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly data: {
    readonly experiment: string;
    readonly assigned: string;
    readonly served: string;
    readonly reason: string;
    readonly unit: string | null;
    readonly unit_source: string | null;
    readonly unit_key: string | null;
    readonly route: string;
    readonly request_id: string;
    readonly epoch: number;
  };
}

export class OtlpDestination implements Destination {
  readonly #post: HttpPost;
  readonly #resource: Resource;

  constructor(options: HttpPostOptions, resource: Resource) {
    this.#post = new HttpPost(options);
    this.#resource = resource;
  }

  send(events: readonly Buffer[], signal: AbortSignal): Promise<Verdict> {
    const records = events.map((event) => recordOf(JSON.parse(event.toString()) as ExposureEvent));
    const body = Buffer.from(JSON.stringify(logsOf(this.#resource, records)));
    return this.#post.send(body, 'application/json', signal);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function recordOf({ id, source, type, time, data }: ExposureEvent): object {
  const nano = unixNano(Date.parse(time));
  return {
    timeUnixNano: nano,
    observedTimeUnixNano: nano,
    severityNumber: SEVERITY,
    severityText: 'INFO',
    eventName: EVALUATION,
    attributes: attributesOf({
      ...evaluationAttributes(data),
      'fairlead.epoch': data.epoch,
      'fairlead.route': data.route,
      'fairlead.request_id': data.request_id,
      'fairlead.unit_source': data.unit_source,
      'fairlead.unit_key': data.unit_key,
      'cloudevents.event_id': id,
      'cloudevents.event_source': source,
      'cloudevents.event_type': type,
    }),
  };
}
