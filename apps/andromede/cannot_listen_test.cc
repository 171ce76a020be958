#include "cannot_listen.h"

#include <gtest/gtest.h>

namespace andromede::app {
namespace {

Config tls_config() {
  Config config;
  config.file = "/cloud/andromede.toml";
  config.tls_certificate = "/cloud/tls/server.crt";
  config.tls_key = "/cloud/tls/server.key";
  config.tls_certificate_at = "/cloud/andromede.toml:11";
  config.tls_key_at = "/cloud/andromede.toml:12";
  config.s3 = {"192.0.2.1", 443};
  config.operators = {"127.0.0.1", 9001};
  return config;
}

std::string told(Listener listener, Errc code, const std::string& message) {
  return cannot_listen(tls_config(), listener, Error(make_error_code(code), message)).message();
}

TEST(CannotListen, SaysWhatHelpsAgainstEachCause) {
  EXPECT_EQ(told(Listener::kOperator, Errc::kAlreadyExists, "cannot listen on 127.0.0.1:9001: Address already in use"),
            "/cloud/andromede.toml: [operator] listen: cannot listen on 127.0.0.1:9001: Address already in use. `ss "
            "-ltnp` shows which program listens where: stop that one, or choose another address and port");
  EXPECT_NE(told(Listener::kS3, Errc::kNotFound, "cannot")
                .find("[s3] listen: cannot. It is not an address of this "
                      "machine: `ip addr` shows those"),
            std::string::npos);
  EXPECT_NE(told(Listener::kS3, Errc::kRefused, "cannot").find("CAP_NET_BIND_SERVICE"), std::string::npos);
  EXPECT_EQ(told(Listener::kOperator, Errc::kRefused, "cannot"), "/cloud/andromede.toml: [operator] listen: cannot");
  EXPECT_EQ(told(Listener::kS3, Errc::kIo, "cannot"), "/cloud/andromede.toml: [s3] listen: cannot");
}

TEST(CannotListen, NamesTheLineOfAFileThatIsNoCertificate) {
  EXPECT_EQ(told(Listener::kS3, Errc::kInvalidArgument, "/cloud/tls/server.crt: not a readable PEM certificate chain"),
            "/cloud/andromede.toml:11: tls_certificate: /cloud/tls/server.crt: not a readable PEM certificate chain");
  EXPECT_EQ(told(Listener::kS3, Errc::kInvalidArgument, "/cloud/tls/server.key: not a readable PEM key"),
            "/cloud/andromede.toml:12: tls_key: /cloud/tls/server.key: not a readable PEM key");
}

TEST(CannotListen, ItsCodeTellsTheConfigurationFromTheMachine) {
  const auto code = [](Errc given) {
    return cannot_listen(tls_config(), Listener::kS3, Error(make_error_code(given), "cannot"));
  };
  EXPECT_EQ(code(Errc::kInvalidArgument), Errc::kInvalidArgument);
  // Nothing of a policy.
  EXPECT_EQ(code(Errc::kRefused), Errc::kIo);
  EXPECT_EQ(code(Errc::kAlreadyExists), Errc::kIo);
}

}  // namespace
}  // namespace andromede::app
