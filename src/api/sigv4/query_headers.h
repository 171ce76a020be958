// Headers that a presigner moved into the query of the target.
#pragma once

#include <vector>

#include "base/result.h"
#include "net/http.h"
#include "net/query.h"

namespace andromede::api::sigv4 {

// The x-amz-* parameters of a presigned query that S3 takes for headers, since presigners move headers there: those
// that `sent` does not have itself, with the same value (docs/adr/0070-s3-dialect.md). Those of the signature are none,
// nor are checksums and what else speaks of a body that the presigner did not know. SigErrc::kQueryMalformed: a name or
// value that no header can have, or a header that must be sent as one (x-amz-copy-source decides which operation it
// is). kSentTwice: another value than the header's, or a name in two spellings.
Result<std::vector<net::Header>> headers_in_query(const net::Query& query, const net::Headers& sent);

}  // namespace andromede::api::sigv4
