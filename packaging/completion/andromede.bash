# Bash completion of andromede: source <(andromede completion bash)
_andromede() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=() word
  local before=
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    # What follows such an option is its value, no command.
    [[ $word == -* || $before == --config || $before == -c || $before == --token-file ]] || words+=("$word")
    before=$word
  done
  case $prev in
    --config | -c | --consortium | --token-file | --out) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --folder | --path) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
  esac
  case "${words[0]:-} ${words[1]:-}" in
    'consortium check' | 'consortium apply') [[ $cur == -* ]] || { mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return; } ;;
  esac
  local choices
  case "${words[0]:-} ${words[1]:-}" in
    'init '*) choices='--folder --consortium --listen --operator-listen --operator --local-ca --json --help' ;;
    'status '*) choices='--check --config --json --help' ;;
    'drive ') choices='list add replace reclaim heal proceed --help' ;;
    'drive add') choices='--site --associate --path --capacity-bytes --config --json --help' ;;
    'drive proceed') choices='--without --config --json --help' ;;
    'drive heal' | 'scrub '*) choices='--no-wait --config --json --help' ;;
    'drive '*) choices='--config --json --help' ;;
    'drain '*) choices='--drive --accept-site-losses --accept-unerased --bandwidth --abort --no-wait --config --json --help' ;;
    'account ') choices='create list close --help' ;;
    'account create') choices='--account --config --token-file --json --help' ;;
    'key ') choices='create list disable enable delete --help' ;;
    'key create') choices='--out --config --token-file --json --help' ;;
    'operator ') choices='create list revoke --help' ;;
    'operator create') choices='--expires-days --out --offline --config --token-file --json --help' ;;
    'consortium ') choices='show check apply --help' ;;
    'certificate ') choices='renew --help' ;;
    'journal ') choices='tail verify --help' ;;
    'journal tail') choices='-n --follow --verify --config --json --help' ;;
    'help drive') choices='list add replace reclaim heal proceed' ;;
    'help account') choices='create list close' ;;
    'help key') choices='create list disable enable delete' ;;
    'help operator') choices='create list revoke' ;;
    'help consortium') choices='show check apply' ;;
    'help certificate') choices='renew' ;;
    'help journal') choices='tail verify' ;;
    'help ') choices='init serve welcome status drive scrub drain account key operator consortium certificate journal version completion' ;;
    'completion '*) choices='bash zsh' ;;
    ' ') choices='init serve welcome status drive scrub drain account key operator consortium certificate journal version help completion --config --token-file --json --version --help' ;;
    *) choices='--config --token-file --json --help' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$cur")
}
complete -o filenames -F _andromede andromede
