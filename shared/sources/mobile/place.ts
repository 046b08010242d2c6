/** Owns coarse places: a point becomes the cell of the declared grid that it lies in, and only the cell is ever kept. */
import { PLACE_GRID_DEGREES } from './source.ts';

const RINGS = Math.round(180 / PLACE_GRID_DEGREES);

export interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

/** Cells of a ring: as many as fit at its narrow edge, the one nearer to a pole. */
function cellsOf(ring: number): number {
  const south = ring * PLACE_GRID_DEGREES - 90;
  const edge = Math.max(Math.abs(south), Math.abs(south + PLACE_GRID_DEGREES));
  return Math.max(1, Math.floor((360 * Math.cos((Math.min(edge, 90) * Math.PI) / 180)) / PLACE_GRID_DEGREES));
}

/** `ring.cell`, both counted from the south-west. */
export function placeOf({ latitude, longitude }: Point): string {
  const ring = Math.min(RINGS - 1, Math.floor((latitude + 90) / PLACE_GRID_DEGREES));
  const cells = cellsOf(ring);
  const turn = (((longitude + 180) % 360) + 360) % 360;
  return `${ring}.${Math.min(cells - 1, Math.floor((turn * cells) / 360))}`;
}

/** The middle of a cell. */
export function middleOf(place: string): Point {
  const [ring, cell] = place.split('.').map(Number);
  return {
    latitude: (ring! + 0.5) * PLACE_GRID_DEGREES - 90,
    longitude: ((cell! + 0.5) * 360) / cellsOf(ring!) - 180,
  };
}
