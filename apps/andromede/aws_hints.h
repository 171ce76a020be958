// How an S3 client is pointed at this cloud, in words for a shell: nothing that is printed to be tried goes to Amazon.
#pragma once

#include <string>

#include "config.h"

namespace andromede::app {

// Where a client on this machine reaches the cloud, or, of a listener on all addresses, any client by the first virtual
// host: 0.0.0.0 is no address to connect to.
std::string client_endpoint(const Config& config);
// "AWS_DEFAULT_REGION=us-east-1"
std::string aws_settings(const Config& config);
// "aws --endpoint-url http://127.0.0.1:9000 s3", with --ca-bundle where there is a local authority.
std::string aws_s3(const Config& config);
// Quoted where a shell needs it.
std::string shell_word(const std::string& word);

}  // namespace andromede::app
