#include "config.h"

#include <charconv>
#include <filesystem>

#include "cloud_folder.h"
#include "codec/toml.h"

namespace andromede::app {
namespace {

using codec::TomlTable;

constexpr std::int64_t kMinCacheBytes = 8 << 20;
constexpr std::int64_t kMaxCacheBytes = std::int64_t{1} << 40;
constexpr std::int64_t kMinBandwidth = 1 << 20;
constexpr std::int64_t kMaxBandwidth = std::int64_t{1} << 40;
constexpr std::int64_t kMaxEventLoops = 256;

std::string absolute(const std::filesystem::path& base, const std::string& path) {
  return (base / path).lexically_normal().string();
}

Result<Endpoint> read_endpoint(const TomlTable& table, const char* fallback) {
  TRY(const std::string text, table.text("listen", fallback));
  auto endpoint = parse_endpoint(text);
  if (!endpoint) return fail(table.error("listen", endpoint.error().message()));
  return endpoint;
}

Result<TomlTable> section(const TomlTable& root, const char* name) {
  TRY(auto table, root.optional_table(name));
  if (table) return std::move(*table);
  return TomlTable::parse("", root.where());
}

Status read_s3(const TomlTable& root, const std::filesystem::path& base, Config& config) {
  TRY(const TomlTable table, section(root, "s3"));
  TRY(config.s3, read_endpoint(table, "127.0.0.1:9000"));
  TRY(config.region, table.text("region", "us-east-1"));
  if (config.region.empty()) return fail(table.error("region", "is empty: clients sign for a region"));
  TRY(config.virtual_hosts, table.texts("virtual_hosts"));
  TRY(auto certificate, table.optional_text("tls_certificate"));
  TRY(auto key, table.optional_text("tls_key"));
  TRY(config.insecure_http, table.flag("insecure_http", false));
  if (certificate.has_value() != key.has_value()) {
    return fail(table.error(certificate ? "tls_certificate" : "tls_key",
                            "stands alone: give both tls_certificate and tls_key, or neither"));
  }
  if (certificate) {
    config.tls_certificate = absolute(base, *certificate);
    config.tls_key = absolute(base, *key);
    config.tls_certificate_at = table.where("tls_certificate");
    config.tls_key_at = table.where("tls_key");
  } else if (!config.s3.loopback() && !config.insecure_http) {
    return fail(table.error("listen",
                            "is not a loopback address and there is no TLS: set tls_certificate and tls_key, "
                            "listen on 127.0.0.1, or set insecure_http = true behind a proxy that talks TLS"));
  }
  return {};
}

Status read_storage(const TomlTable& root, Config& config) {
  TRY(const TomlTable table, section(root, "storage"));
  TRY(const auto cache, table.integer("cache_bytes", kMinCacheBytes, kMaxCacheBytes, 96 << 20));
  TRY(const auto bandwidth, table.integer("bandwidth_bytes_per_s", kMinBandwidth, kMaxBandwidth, 200 << 20));
  TRY(const auto loops, table.integer("event_loops", 0, kMaxEventLoops, 0));
  config.cache_bytes = static_cast<std::uint64_t>(cache);
  config.bandwidth_bytes_per_s = static_cast<std::uint64_t>(bandwidth);
  config.event_loops = static_cast<unsigned>(loops);
  return {};
}

Status read_log(const TomlTable& root, Config& config) {
  TRY(const TomlTable table, section(root, "log"));
  TRY(config.access_log, table.flag("access", false));
  TRY(const std::string level, table.text("level", "info"));
  if (level == "debug") {
    config.log_level = LogLevel::kDebug;
  } else if (level == "info") {
    config.log_level = LogLevel::kInfo;
  } else if (level == "warning") {
    config.log_level = LogLevel::kWarning;
  } else if (level == "error") {
    config.log_level = LogLevel::kError;
  } else {
    return fail(table.error("level", "is unknown: use \"debug\", \"info\", \"warning\" or \"error\""));
  }
  return table.finish();
}

}  // namespace

bool Endpoint::loopback() const { return address == "::1" || address == "localhost" || address.starts_with("127."); }

bool Endpoint::everywhere() const { return address == "0.0.0.0" || address == "::"; }

bool Endpoint::taken_by(const Endpoint& other) const {
  const auto plain = [](const std::string& name) { return name == "localhost" ? std::string("127.0.0.1") : name; };
  const bool v4_beside_v6 = other.address == "0.0.0.0" && address.find(':') != std::string::npos;
  return port != 0 && port == other.port &&
         ((other.everywhere() && !v4_beside_v6) || plain(address) == plain(other.address));
}

std::string Endpoint::to_string() const {
  const bool v6 = address.find(':') != std::string::npos;
  return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  constexpr const char* kWrong = "is not an address and port: use \"127.0.0.1:9000\" or \"[::1]:9000\"";
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return fail(Errc::kInvalidArgument, kWrong);
  std::string_view address = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  } else if (address.find(':') != std::string_view::npos) {
    return fail(Errc::kInvalidArgument, kWrong);
  }
  Endpoint endpoint;
  endpoint.address = std::string(address);
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), endpoint.port);
  if (error != std::errc() || end != port_text.data() + port_text.size() || port_text.empty() || address.empty()) {
    return fail(Errc::kInvalidArgument, kWrong);
  }
  return endpoint;
}

Result<Config> parse_config(std::string_view text, const std::string& path) {
  TRY(const TomlTable root, TomlTable::parse(text, path));
  Config config;
  config.file = absolute_path(path);
  const std::filesystem::path base = std::filesystem::path(config.file).parent_path();
  {
    TRY(const TomlTable table, section(root, "cloud"));
    TRY(const std::string folder, table.text("folder", "."));
    config.folder = absolute(base, folder);
    while (config.folder.size() > 1 && config.folder.back() == '/') config.folder.pop_back();
    TRY(const std::string consortium, table.text("consortium", "consortium.toml"));
    config.consortium = absolute(config.folder, consortium);
    config.consortium_at = table.where("consortium");
  }
  CHECK_OK(read_s3(root, base, config));
  {
    TRY(const TomlTable table, section(root, "operator"));
    TRY(config.operators, read_endpoint(table, "127.0.0.1:9001"));
    if (!config.operators.loopback()) {
      return fail(table.error("listen",
                              "is not a loopback address: the operator's listener speaks plain HTTP; use "
                              "127.0.0.1 and reach it from elsewhere through ssh"));
    }
    if (config.operators.taken_by(config.s3)) {
      return fail(table.error("listen", "is where [s3] listens: choose another port"));
    }
  }
  CHECK_OK(read_storage(root, config));
  CHECK_OK(read_log(root, config));
  CHECK_OK(root.finish());
  return config;
}

Result<Config> read_config(const std::string& path) {
  const auto text = read_text_file(path);
  if (!text && text.error() == Errc::kNotFound) {
    return fail(Errc::kNotFound,
                path + ": not found: make a cloud with `andromede init`, or name its file with --config");
  }
  if (!text) return fail(text.error());
  return parse_config(*text, path);
}

std::vector<std::string> changed_keys(const Config& from, const Config& to) {
  std::vector<std::string> keys;
  const auto compare = [&](const char* key, const auto& one, const auto& other) {
    if (!(one == other)) keys.emplace_back(key);
  };
  compare("[cloud] folder", from.folder, to.folder);
  compare("[cloud] consortium", from.consortium, to.consortium);
  compare("[s3] listen", from.s3, to.s3);
  compare("[s3] region", from.region, to.region);
  compare("[s3] virtual_hosts", from.virtual_hosts, to.virtual_hosts);
  compare("[s3] tls_certificate", from.tls_certificate, to.tls_certificate);
  compare("[s3] tls_key", from.tls_key, to.tls_key);
  compare("[s3] insecure_http", from.insecure_http, to.insecure_http);
  compare("[operator] listen", from.operators, to.operators);
  compare("[storage] cache_bytes", from.cache_bytes, to.cache_bytes);
  compare("[storage] bandwidth_bytes_per_s", from.bandwidth_bytes_per_s, to.bandwidth_bytes_per_s);
  compare("[storage] event_loops", from.event_loops, to.event_loops);
  compare("[log] level", from.log_level, to.log_level);
  compare("[log] access", from.access_log, to.access_log);
  return keys;
}

Status check_files(const Config& config) {
  const auto there = [](const std::string& path, const std::string& at, const char* remedy) -> Status {
    std::error_code code;
    if (path.empty() || std::filesystem::exists(path, code)) return {};
    return fail(Errc::kInvalidArgument, at + ": " + path + " is not there: " + remedy);
  };
  std::error_code code;
  const bool local_ca = std::filesystem::exists(CloudFolder{config.folder}.tls() + "/ca.crt", code);
  const char* const remedy =
      local_ca
          ? "name a PEM file, or have the local authority's made anew with `andromede certificate renew`"
          : "name the PEM file of a certificate of your own; only `andromede init --local-ca` makes a local authority, "
            "and this cloud has none";
  CHECK_OK(there(config.tls_certificate, config.tls_certificate_at, remedy));
  return there(config.tls_key, config.tls_key_at, remedy);
}

}  // namespace andromede::app
