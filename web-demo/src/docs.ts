// The page of the REST API: what /api/openapi.json says, and forms to try it with.

import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js';

SwaggerUI({
  dom_id: '#docs',
  url: '/api/openapi.json',
  deepLinking: true,
  // It would send the description to a server of others.
  validatorUrl: null,
});
