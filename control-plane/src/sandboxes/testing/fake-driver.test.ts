import { driverConformance } from '../driver.conformance.ts';
import { createFakeDriver } from './fake-driver.ts';

driverConformance('the fake', async () => {
  const driver = createFakeDriver();
  return {
    driver,
    kill: async ({ sessionId }) => driver.kill(sessionId, 'killed by the test'),
  };
});
