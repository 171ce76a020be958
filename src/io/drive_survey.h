// DriveSurvey: what lies on the drives of a cloud, looked at before anything is opened or written, and what that says:
// which of the maps found is true, and whether drives that are missing may have gone on without those that are here.
// Why: docs/adr/0011-one-history.md.
//
// Not thread-safe. It keeps the drives that it found open, and other processes off them, until it goes.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "io/drives.h"

namespace andromede::io {

class DriveCalls;

class DriveSurvey {
 public:
  enum class Finding : std::uint8_t {
    kClear,         // one history, and no drive that is missing may have gone on without the others
    kNoMirror,      // no drive that holds a current mirror of the metadata is there
    kInDoubt,       // the missing drives may have gone on alone
    kTwoHistories,  // the drives that are there have gone on without each other
  };
  // One map, and who carries it.
  struct Line {
    DriveMap map;
    MapHash hash{};
    std::set<DriveId> holders;
  };
  // A drive that is there, is out of use by the true map, and carries one that says nothing any more.
  struct Gone {
    DriveInfo drive;
    std::string path;  // where it is
  };

  struct Elsewhere {
    DriveInfo drive;  // as the map has it
    std::string found_at;
  };

  // Looks at `paths`, and at every path that an authentic map found so far names. Each drive is waited for as
  // Drives::open says. kNotFound when no path leads to a drive, kRefused when only to drives that another cloud's keys
  // labelled; kUnavailable when no drive carries an authentic map; kConflict when another process has one of them;
  // kTimeout when none can be had, and one is kept().
  static Result<DriveSurvey> make(const std::vector<std::string>& paths, std::shared_ptr<const DriveSeal> seal,
                                  OpenDisk open_disk, std::chrono::milliseconds answer_limit = kDriveAnswerLimit);
  DriveSurvey(DriveSurvey&&) noexcept;
  DriveSurvey& operator=(DriveSurvey&&) noexcept;
  ~DriveSurvey();

  [[nodiscard]] Finding finding() const { return finding_; }
  // The true map and who carries it; of two histories, the one with the most epochs.
  [[nodiscard]] const Line& truth() const { return lines_[truth_]; }
  // The drives that cause the doubt, or that hold the mirrors.
  [[nodiscard]] const std::vector<DriveInfo>& missing() const { return missing_; }
  // Of two histories: the lines that are none of them another's past.
  [[nodiscard]] std::vector<const Line*> histories() const;
  [[nodiscard]] const std::vector<Gone>& gone() const { return gone_; }
  // "etat-1, etat-2 (map 3); orange-1 (map 8)"
  [[nodiscard]] std::string describe_histories() const;
  // Of two histories: the drives that decide() wants named to keep `kept`, by name; none when it cannot be kept alone.
  [[nodiscard]] std::vector<DriveInfo> to_leave_for(const Line& kept);
  // What keeps a drive that a process still holds which has ended, in words; empty: there is none. It lasts until the
  // call that this process hangs in returns.
  [[nodiscard]] const std::string& kept() const { return kept_; }
  // Drives in use that lie where no map says, and not where the true one does: nothing opens them there.
  [[nodiscard]] std::vector<Elsewhere> elsewhere() const;
  // kRefused or kUnavailable with a message for people, unless the finding is kClear.
  [[nodiscard]] Status refusal() const;

  // The word of who holds the cloud's keys that it goes on without the drives of those names, whatever they hold. The
  // true map is then one that says so, and which Unix account decided, on no drive yet. Every drive that causes the
  // doubt, and of two histories every drive of the others, must be named, and no other: kRefused with what is wrong,
  // kInvalidArgument for a name that no map knows.
  Status decide(const std::vector<DriveName>& without, std::string unix_user, Timestamp at);
  // After a decision that was refused: what stands against it, and the drives or histories it is about, for who says it
  // in other words.
  enum class Objection : std::uint8_t {
    kNothingInDoubt,
    kUnknownName,
    kNoDriveLeft,
    kNoMirrorLeft,
    kTwoHistoriesLeft,
    kOthersMissing,     // and not named
    kOfTheSameHistory,  // named, though it is there
    kTooManyDecisions
  };
  [[nodiscard]] Objection objection() const { return objection_; }
  [[nodiscard]] const std::string& objected_to() const { return objected_to_; }

 private:
  friend class Drives;
  struct Sighting;
  struct Look;
  class Misses;
  DriveSurvey();
  static Result<std::optional<Sighting>> look_at(const std::string& path, const Look& look);
  Status discover(const std::vector<std::string>& seeds);
  void group();
  // Takes out the lines that are too old to be told from the past of another one, and that cannot be a history of their
  // own that counts.
  void leave_out_ancient();
  [[nodiscard]] bool is_ancient(const Line& line, const Line& other) const;
  // Whether the first of two lines, as the truth, leaves nothing of the second that may count.
  [[nodiscard]] bool outdoes(const Line& line, const Line& other) const;
  [[nodiscard]] bool seen(DriveId drive) const;
  // Those that carry that line's map, or were not seen.
  [[nodiscard]] std::set<DriveId> may_have_taken(const Line& line) const;
  [[nodiscard]] bool may_count(const Line& line) const;
  // Seen, with a map that is the true one or belongs to its past.
  [[nodiscard]] bool follows(DriveId drive) const;
  void conclude();
  void find_doubt();
  tl::unexpected<Error> object(Objection objection, std::string to, std::string message, Errc code = Errc::kRefused);
  void find_gone();

  std::shared_ptr<const DriveSeal> seal_;
  OpenDisk open_disk_;
  std::unique_ptr<DriveCalls> calls_;
  std::vector<Sighting> sightings_;
  std::string kept_;
  std::vector<Line> lines_;  // the most epochs first
  std::vector<Line> ancient_;
  std::vector<Gone> gone_;
  std::size_t truth_ = 0;
  Finding finding_ = Finding::kClear;
  std::vector<DriveInfo> missing_;
  Objection objection_ = Objection::kNothingInDoubt;
  std::string objected_to_;
};

// "orange-1 (site orange), etat-2 (site etat)"
std::string names_and_sites(const std::vector<DriveInfo>& drives);

}  // namespace andromede::io
