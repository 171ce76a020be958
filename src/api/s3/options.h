// What an operator may set of the S3 front end.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace andromede::api::s3 {

struct Options {
  std::string region = "fr-andromede-1";
  // Names of this service for virtual-host addressing ("s3.example": bucket b answers at b.s3.example).
  std::vector<std::string> host_suffixes;
  // HostId of error answers: which gateway it was.
  std::string host_id = "andromede";
  // How long a copy goes on in silence: then its answer begins, with a blank each time that this has passed again. Well
  // below the 60 s after which SDKs give up waiting and ask once more.
  std::chrono::milliseconds silence{5'000};
  // One log line a request; answers of 500 and above are logged in any case.
  bool access_log = false;
};

}  // namespace andromede::api::s3
