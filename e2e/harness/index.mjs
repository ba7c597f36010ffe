// What most tests need.

export * from './client.mjs';
export * from './wait.mjs';
export { Fixture, suite } from './fixture.mjs';
