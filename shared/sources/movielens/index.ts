/** Owns what the rest of the project may use of the MovieLens source. */
export { MOVIELENS_SOURCE, type MovieLens, type MovieLensOptions, openMovieLens } from './movielens.ts';
