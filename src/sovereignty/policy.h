// Policies: what a bucket demands of where its data lie: the code, the losses to survive, the sites that may hold them.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace andromede::sovereignty {

// How data are cut into shards, and what losses they are to survive.
struct Rule {
  std::uint8_t data_shards = 2;
  std::uint8_t parity_shards = 2;
  std::uint8_t site_losses = 2;   // whole sites that may fail without loss
  std::uint8_t drive_losses = 2;  // drives that may fail without loss
  [[nodiscard]] unsigned shards() const { return unsigned{data_shards} + parity_shards; }
  // As many copies of the metadata as survive what the shards survive.
  [[nodiscard]] unsigned mirrors() const { return unsigned{parity_shards} + 1; }
  // A change is acknowledged once it is on so many mirrors, at so many sites: whatever is lost already, it survives the
  // next loss, where the policy survives any.
  [[nodiscard]] unsigned least_mirrors() const { return parity_shards > 0 ? 2 : 1; }
  [[nodiscard]] unsigned least_sites() const { return site_losses > 0 ? 2 : 1; }
  friend bool operator==(const Rule&, const Rule&) = default;
};

// "policy souverain": for what people read.
inline std::string named(const PolicyId& policy) { return "policy " + policy.value(); }

// A policy as placement obeys it, with the sites that the consortium has now.
struct Policy {
  PolicyId id;
  Rule rule;
  std::uint64_t inline_limit_bytes = 0;   // objects up to this size live in the metadata; 0: none
  std::optional<std::set<SiteId>> sites;  // shards lie there and nowhere else; unset: anywhere
  [[nodiscard]] bool allows(const SiteId& site) const { return !sites || sites->contains(site); }
};

// All policies of a consortium, one of them the default.
class Policies {
 public:
  Policies() = default;  // none at all
  // `default_policy` is one of them.
  Policies(std::vector<Policy> all, PolicyId default_policy)
      : all_(std::move(all)), default_policy_(std::move(default_policy)) {}

  [[nodiscard]] const std::vector<Policy>& all() const { return all_; }
  [[nodiscard]] const PolicyId& default_policy() const { return default_policy_; }
  // Null: there is none of that name. Lives as long as this.
  [[nodiscard]] const Policy* find(const PolicyId& id) const;
  // That of a bucket's or blob's record. kUnavailable: there is none of that name.
  [[nodiscard]] Result<const Policy*> recorded(const PolicyId& id) const;
  // "souverain, standard"
  [[nodiscard]] std::string names() const;

  // The metadata are every policy's: each of these as the strictest demands it.
  [[nodiscard]] unsigned mirrors() const;
  [[nodiscard]] unsigned least_mirrors() const;
  [[nodiscard]] unsigned least_sites() const;

 private:
  std::vector<Policy> all_;
  PolicyId default_policy_;
};

}  // namespace andromede::sovereignty
