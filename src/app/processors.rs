//! Who handles data of people for the company, as far as the settings show it.

use crate::base::localized::Localized;
use crate::config::Config;
use crate::crm::Connections;
use crate::notify::{Rules, Way};
use crate::privacy::notice::InUse;

/// The mail server, the CRMs, and the chats and programs that are told of people. What stays in the house is no processor
/// either, but nobody can tell that from an address: whoever runs it says so in `config/privacy.yaml`.
pub fn in_use(config: &Config, crm: &Connections, rules: &Rules) -> Vec<InUse> {
    let mail = url::Url::parse(config.mail.smtp.expose()).ok();
    let mail = mail.as_ref().and_then(url::Url::host_str).filter(|host| !host.is_empty()).map(|host| InUse {
        word: "mail".to_owned(),
        name: host.to_owned(),
        does: Localized::new("Sends our mails", "Envía nuestros correos"),
    });
    let crms = crm.all.iter().map(|connection| InUse {
        word: format!("crm:{}", connection.name),
        name: connection.title().to_owned(),
        does: Localized::new(
            "Keeps contacts, calls and deals for our sales team",
            "Guarda contactos, llamadas y tratos para nuestro equipo de ventas",
        ),
    });
    let hooks = rules.hooks.iter().filter(|hook| match &hook.way {
        Way::Webhook(settings) => settings.tells_people,
        Way::Slack | Way::Teams | Way::Discord | Way::Telegram { .. } => true,
    });
    let hooks = hooks.map(|hook| InUse {
        word: format!("hook:{}", hook.name),
        name: match &hook.way {
            Way::Slack => "Slack".to_owned(),
            Way::Teams => "Microsoft Teams".to_owned(),
            Way::Discord => "Discord".to_owned(),
            Way::Telegram { .. } => "Telegram".to_owned(),
            Way::Webhook(_) => hook.name.clone(),
        },
        does: match &hook.way {
            Way::Webhook(_) => Localized::new(
                "Is told by our program what becomes of a contact",
                "Nuestro programa le cuenta qué pasa con un contacto",
            ),
            Way::Slack | Way::Teams | Way::Discord | Way::Telegram { .. } => Localized::new(
                "Tells our team of calls and chats",
                "Avisa a nuestro equipo de llamadas y chats",
            ),
        },
    });
    mail.into_iter().chain(crms).chain(hooks).collect()
}
