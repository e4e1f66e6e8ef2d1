// The baseline: the adapter that FusionAuth's guide describes, an Express service that answers at once and
// calls Segment with axios in parallel. It is written from the description; only the addresses are
// parameters.
import axios from 'axios';
import express from 'express';

const { SEGMENT, PORT } = process.env;
const identified = new Set(['user.create.complete', 'user.email.update', 'user.update.complete']);

const contextOf = ({ info, ipAddress }) => ({
  ip: ipAddress,
  deviceName: info.deviceName,
  deviceType: info.deviceType,
  userAgent: info.userAgent,
});

const send = (call, event, more) =>
  axios
    .post(`${SEGMENT}/v1/${call}`, {
      writeKey: 'key',
      event: event.type,
      userId: event.user.id,
      timestamp: event.createInstant ? new Date(event.createInstant).toISOString() : '',
      ...more,
    })
    .catch((error) => console.dir(error.message));

const app = express();
app.use(express.json());
app.post('/', (request, response) => {
  const { event } = request.body;
  if (event.type === 'user.login.success') {
    send('track', event, { properties: {}, context: { ...contextOf(event), applicationId: event.applicationId } });
  } else if (identified.has(event.type)) {
    const { id, ...traits } = event.user;
    send('identify', event, { context: contextOf(event), traits });
  }
  response.send('Event processed');
});
app.listen(Number(PORT), '127.0.0.1', () => console.log('ready'));
