#compdef andromede
# Zsh completion of andromede: source <(andromede completion zsh)
_andromede() {
  local -a commands common
  commands=(
    'init:make a cloud from a consortium file' 'serve:serve the cloud' 'welcome:where it answers'
    'status:drives, tolerated losses, jobs' 'drive:list, add, replace and heal drives'
    'scrub:read and check everything' 'drain:withdraw a site or a drive'
    'account:open, list and close accounts' 'key:access keys' 'operator:operators and their tokens'
    'consortium:the recorded consortium' 'certificate:of the local authority' 'journal:read and verify the journal'
    'version:show the version' 'help:explain a command' 'completion:print a completion script')
  common=('--config[the cloud'\''s file]:file:_files' '--token-file[the operator'\''s token]:file:_files'
    '--json[answer as JSON]' '--help[explain]')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  case $words[2] in
    init) _arguments '--folder[the new folder]:folder:_files -/' '--consortium[the consortium]:file:_files' \
      '--listen[address\:port]:address:' '--operator-listen[address\:port]:address:' '--operator[the first operator]:name:' '--local-ca[make a local CA]' ;;
    status) _arguments $common '--check[exit 5 when degraded]' ;;
    drive)
      if ((CURRENT == 3)); then
        compadd list add replace reclaim heal proceed
      else
        _arguments $common '--site[its site]:site:' '--associate[its associate]:associate:' \
          '--path[its folder]:folder:_files -/' '--capacity-bytes[at most]:bytes:' '--no-wait[do not wait]' \
          '--without[drives to leave behind]:drives:'
      fi ;;
    scrub) _arguments $common '--no-wait[do not wait]' ;;
    drain) _arguments $common '--drive[a drive]:drive:' '--accept-site-losses[from now on]:number:' \
      '--accept-unerased[what lies on drives that are away stays there]' '--bandwidth[at most, a second]:bytes:' \
      '--abort[abort it]' '--no-wait[do not wait]' ;;
    account)
      if ((CURRENT == 3)); then compadd create list close; else _arguments $common '--account[its id]:id:'; fi ;;
    key)
      if ((CURRENT == 3)); then
        compadd create list disable enable delete
      else
        _arguments $common '--out[a new file for the secret]:file:_files'
      fi ;;
    operator)
      if ((CURRENT == 3)); then
        compadd create list revoke
      else
        _arguments $common '--expires-days[how long it counts]:days:' '--out[a new file for the token]:file:_files' \
          '--offline[while nothing serves]'
      fi ;;
    consortium)
      if ((CURRENT == 3)); then compadd show check apply; else _arguments $common '*:file:_files'; fi ;;
    certificate)
      if ((CURRENT == 3)); then compadd renew; else _arguments $common; fi ;;
    journal)
      if ((CURRENT == 3)); then compadd tail verify; else _arguments $common '-n[how many]:number:' '--follow' '--verify'; fi ;;
    completion) compadd bash zsh ;;
    *) _arguments $common ;;
  esac
}
compdef _andromede andromede 2>/dev/null || true
