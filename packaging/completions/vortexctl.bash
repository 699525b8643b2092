# bash completion for vortexctl. Job ids, symbols and providers are asked of the service, which is not started
# for it.
_vortexctl() {
  local cur prev words cword
  _init_completion -n : 2>/dev/null || { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
  local global="--user --system --address --json --no-pager --color --help --version"
  local verbs="status update jobs job cancel series providers pause resume reload reset monitor logs timers ping version"
  local verb="" bus=() at
  for ((at = 1; at < cword; at++)); do
    case ${words[at]} in
      --user | --system) bus=("${words[at]}") ;;
      -*) ;;
      *) [ -n "$verb" ] || { [[ " $verbs " == *" ${words[at]} "* ]] && verb=${words[at]}; } ;;
    esac
  done
  from() { mapfile -t COMPREPLY < <(compgen -W "$(vortexctl "${bus[@]}" __complete "$1" 2>/dev/null)" -- "$cur"); }
  case $prev in
    --provider | -p) from providers; return ;;
    --symbol | -s) from series; return ;;
    --job) from jobs; return ;;
    --state) mapfile -t COMPREPLY < <(compgen -W "current late unlisted suspect failed held" -- "$cur"); return ;;
    --period) mapfile -t COMPREPLY < <(compgen -W "1m 2m 5m 10m 15m 20m 30m 1h 1d 1W 1M 3M" -- "$cur"); return ;;
    --color) mapfile -t COMPREPLY < <(compgen -W "auto always never" -- "$cur"); return ;;
  esac
  local own=""
  case $verb in
    "") own=$verbs ;;
    status) own="--watch" ;;
    update) own="--provider --symbol --watchlist --period --start --end --force --wait --follow" ;;
    job | cancel) [[ $cur == -* ]] || { from jobs; return; } ;;
    series) [[ $cur == -* ]] || { from series; return; }; own="--provider --state" ;;
    providers) own="--test" ;;
    reset) [[ $cur == -* ]] || { from providers; return; } ;;
    logs) own="--job --provider --symbol --follow --lines --since" ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$own $global" -- "$cur")
}
complete -F _vortexctl vortexctl
