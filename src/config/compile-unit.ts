/** Declared unit sources to those that the request path reads. Pure. */
import type { UnitSource } from '../experiment/model.ts';
import type { UnitSourceConfig } from './schema-unit.ts';

const DEFAULT_UNIT: readonly UnitSource[] = [{ kind: 'header', name: 'x-user-id' }];
const WHOLE_ADDRESS = { v4: 32, v6: 128 };

/** @param sources Undefined: none is declared, so the unit is the header x-user-id. */
export function compileUnit(sources: readonly UnitSourceConfig[] | undefined): readonly UnitSource[] {
  return sources?.map(unitSource) ?? DEFAULT_UNIT;
}

function unitSource(source: UnitSourceConfig): UnitSource {
  if (source.header !== undefined) return { kind: 'header', name: source.header };
  if (source.cookie !== undefined) return { kind: 'cookie', name: source.cookie };
  if (source.query !== undefined) return { kind: 'query', name: source.query };
  if (source.path !== undefined) return { kind: 'path', name: source.path };
  if (source.claim !== undefined) return { kind: 'claim', pointer: source.claim };
  if (source.clientIdentity !== undefined) return { kind: 'clientIdentity' };
  if (source.clientAddress !== undefined) {
    const { v4, v6 } = source.clientAddress === true ? WHOLE_ADDRESS : source.clientAddress;
    return { kind: 'clientAddress', prefix4: v4, prefix6: v6 };
  }
  return { kind: 'request' };
}
