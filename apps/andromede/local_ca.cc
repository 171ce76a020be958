#include "local_ca.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>

#include "cloud_folder.h"
#include "crypto/secret.h"
#include "messages.h"

namespace andromede::app {
namespace {

constexpr long kDay = 24 * 3600;
// The authority lives as long as the one certificate that it signs. Some clients refuse more than 825 days.
constexpr long kLifetimeDays = 730;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* value) const {
    Free(value);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

tl::unexpected<Error> openssl_failed(const char* what) {
  char reason[256];
  ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
  return fail(Errc::kInternal, std::string(what) + ": " + reason);
}

bool is_address(const std::string& name) {
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, name.c_str(), buffer) == 1 || inet_pton(AF_INET6, name.c_str(), buffer) == 1;
}

struct Names {
  std::string alternatives;  // of the server's certificate
  std::string permitted;     // to the authority: these and no others
};

Names names_of(const std::vector<std::string>& names) {
  Names out;
  for (const std::string& name : local_ca_names(names)) {
    const bool v6 = name.find(':') != std::string::npos;
    const std::string kind = is_address(name) ? "IP:" : "DNS:";
    out.alternatives += (out.alternatives.empty() ? "" : ",") + kind + name;
    // A constraint on a name holds for what is below it as well; a wildcard is below its parent.
    std::string permitted = name.starts_with("*.") ? name.substr(2) : name;
    if (is_address(name)) permitted += v6 ? "/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "/255.255.255.255";
    out.permitted += (out.permitted.empty() ? "permitted;" : ",permitted;") + kind + permitted;
  }
  return out;
}

Status add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) return openssl_failed("extension");
  return {};
}

Result<Certificate> new_certificate(EVP_PKEY* key, const char* name) {
  Certificate certificate(X509_new());
  unsigned char serial[16];
  if (!certificate || RAND_bytes(serial, sizeof serial) != 1) return openssl_failed("certificate");
  serial[0] &= 0x7f;  // RFC 5280 section 4.1.2.2: positive
  const std::unique_ptr<BIGNUM, Freer<BN_free>> number(BN_bin2bn(serial, sizeof serial, nullptr));
  X509_set_version(certificate.get(), X509_VERSION_3);
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kLifetimeDays * kDay);
  X509_set_pubkey(certificate.get(), key);
  const auto* text = reinterpret_cast<const unsigned char*>(name);
  if (X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8, text, -1, -1, 0) != 1) {
    return openssl_failed("certificate name");
  }
  return certificate;
}

Status sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key) {
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  if (X509_sign(certificate, issuer_key, EVP_sha256()) == 0) return openssl_failed("certificate signature");
  return {};
}

template <typename Write>
Result<std::string> to_pem(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || write(bio.get()) != 1) return openssl_failed("PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Result<std::string> key_pem(EVP_PKEY* key) {
  return to_pem([key](BIO* out) { return PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr); });
}

Result<std::string> certificate_pem(X509* certificate) {
  return to_pem([certificate](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

}  // namespace

std::set<std::string> local_ca_names(const std::vector<std::string>& names) {
  std::set<std::string> all{"127.0.0.1", "::1", "localhost"};
  all.insert(names.begin(), names.end());
  return all;
}

Status make_local_ca(const std::string& folder, const std::vector<std::string>& names) {
  CHECK_OK(make_folder(folder));
  std::error_code code;
  if (std::filesystem::exists(folder + "/ca.crt", code)) {
    return fail(Errc::kAlreadyExists, text(Msg::kCaIsThere, {folder + "/ca.crt"}));
  }

  const Names all = names_of(names);
  // Signs one certificate, here, and is never written down: whoever trusts the authority trusts nothing else by it.
  const Key authority_key(EVP_EC_gen("P-256"));
  const Key server_key(EVP_EC_gen("P-256"));
  if (!authority_key || !server_key) return openssl_failed("key");

  TRY(const Certificate authority, new_certificate(authority_key.get(), "Andromede local CA"));
  CHECK_OK(add_extension(authority.get(), authority.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  CHECK_OK(add_extension(authority.get(), authority.get(), NID_key_usage, "critical,keyCertSign"));
  CHECK_OK(add_extension(authority.get(), authority.get(), NID_ext_key_usage, "serverAuth"));
  CHECK_OK(add_extension(authority.get(), authority.get(), NID_name_constraints, "critical," + all.permitted));
  CHECK_OK(add_extension(authority.get(), authority.get(), NID_subject_key_identifier, "hash"));
  CHECK_OK(sign(authority.get(), authority.get(), authority_key.get()));

  TRY(const Certificate server, new_certificate(server_key.get(), "Andromede"));
  CHECK_OK(add_extension(server.get(), authority.get(), NID_basic_constraints, "critical,CA:FALSE"));
  CHECK_OK(add_extension(server.get(), authority.get(), NID_key_usage, "critical,digitalSignature"));
  CHECK_OK(add_extension(server.get(), authority.get(), NID_ext_key_usage, "serverAuth"));
  CHECK_OK(add_extension(server.get(), authority.get(), NID_subject_alt_name, all.alternatives));
  CHECK_OK(add_extension(server.get(), authority.get(), NID_authority_key_identifier, "keyid:always"));
  CHECK_OK(sign(server.get(), authority.get(), authority_key.get()));

  TRY(const std::string authority_text, certificate_pem(authority.get()));
  TRY(const std::string server_text, certificate_pem(server.get()));
  TRY(std::string server_key_text, key_pem(server_key.get()));
  const Status written = write_file(folder + "/server.key", server_key_text, true);
  crypto::wipe(server_key_text);
  CHECK_OK(written);
  CHECK_OK(write_file(folder + "/server.crt", server_text + authority_text, false));
  return write_file(folder + "/ca.crt", authority_text, false);
}

std::vector<std::string> certificate_names(const Config& config) {
  std::vector<std::string> names;
  if (!config.s3.everywhere()) names.push_back(config.s3.address);
  for (const std::string& suffix : config.virtual_hosts) {
    names.push_back(suffix);
    names.push_back("*." + suffix);
  }
  return names;
}

Status renew_local_ca(const std::string& folder, const std::vector<std::string>& names) {
  std::error_code code;
  if (!std::filesystem::exists(folder + "/ca.crt", code)) {
    return fail(Errc::kNotFound, text(Msg::kNoCa, {folder + "/ca.crt"}));
  }
  const std::string fresh = folder + ".new";
  std::filesystem::remove_all(fresh, code);
  CHECK_OK(make_local_ca(fresh, names));
  // Key and certificates in one step: a server that starts meanwhile finds the old ones or the new ones.
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) != 0) {
    return fail(Errc::kIo, text(Msg::kCaNotInPlace, {folder, std::generic_category().message(errno)}));
  }
  CHECK_OK(sync_folder(std::filesystem::path(folder).parent_path().string()));
  std::filesystem::remove_all(fresh, code);
  if (code) return fail(Errc::kIo, text(Msg::kOldCaStays, {fresh, code.message()}));
  return {};
}

}  // namespace andromede::app
