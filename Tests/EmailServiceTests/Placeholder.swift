import Testing
@testable import EmailService
