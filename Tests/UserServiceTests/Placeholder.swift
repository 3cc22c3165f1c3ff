import Testing
@testable import UserService
